//! Equal arguments have equal keys in every process, unequal ones never do.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use cachier::{CallOptions, Outcome, cachier};
use cachier_tests::process::{Process, part, say};
use cachier_tests::sandbox::in_folder;

#[derive(serde::Serialize)]
struct Request<'a> {
    city: &'a str,
    tags: HashMap<String, Option<u32>>,
}

#[cachier(backend = "file")]
fn describe(
    map: &HashMap<String, Vec<f64>>,
    set: HashSet<i64>,
    floats: [f64; 4],
    request: &Request<'_>,
    path: PathBuf,
) -> String {
    format!(
        "{} {} {floats:?} {} {}",
        map.len(),
        set.len(),
        request.city,
        path.display()
    )
}

/// Calls with arguments whose order differs between processes: hash maps are seeded at random.
fn describe_all() -> Outcome {
    let map = (0..100).map(|number| (number.to_string(), vec![f64::from(number), f64::NAN]));
    let tags =
        (0..100).map(|number| (format!("tag {number}"), Some(number).filter(|n| n % 2 == 0)));
    let request = Request {
        city: "Oslo",
        tags: tags.collect(),
    };
    let floats = [0.1, -0.0, f64::INFINITY, -f64::NAN];
    let call = describe::call_detailed(
        CallOptions::new(),
        &map.collect(),
        (-100..100).collect(),
        floats,
        &request,
        PathBuf::from("a/b"),
    );
    assert!(call.backend_error.is_none(), "{call}");
    call.outcome
}

#[test]
fn equal_arguments_have_equal_keys_in_every_process() {
    if part().is_some() {
        return say(describe_all());
    }
    let folder = tempfile::tempdir().unwrap();
    let outcomes: Vec<_> = (0..4)
        .map(|_| {
            let test = "keys::equal_arguments_have_equal_keys_in_every_process";
            let process = Process::start(test, "call", |command| {
                command.env("CACHIER_CACHE_DIR", folder.path());
            });
            process.last_line()
        })
        .collect();
    assert_eq!(outcomes, ["miss", "hit", "hit", "hit"]);
}

macro_rules! unequal {
    ($($backend:ident: ($($argument:tt)*);)*) => {$(
        mod $backend {
            use super::*;

            #[test]
            fn strings_that_read_the_same_when_joined() {
                #[cachier($($argument)*)]
                fn join(a: &str, b: &str) -> String {
                    format!("{a}|{b}")
                }

                in_folder(|_| {
                    assert_eq!(join("ab", "c"), "ab|c");
                    assert_eq!(join("a", "bc"), "a|bc");
                    assert_eq!(join("abc", ""), "abc|");
                });
            }

            #[test]
            fn options_in_options() {
                #[cachier($($argument)*)]
                fn show(option: Option<Option<u8>>) -> String {
                    format!("{option:?}")
                }

                in_folder(|_| {
                    for option in [None, Some(None), Some(Some(0))] {
                        assert_eq!(show(option), format!("{option:?}"));
                    }
                });
            }

            #[test]
            fn zeros_of_both_signs_but_not_two_nans() {
                #[cachier($($argument)*)]
                fn show(number: f64) -> String {
                    format!("{number:?}")
                }

                in_folder(|_| {
                    assert_eq!([show(0.0), show(-0.0)], ["0.0", "-0.0"]);
                    show(f64::NAN);
                    let other_nan = f64::from_bits(f64::NAN.to_bits() | 1);
                    let call = show::call_detailed(CallOptions::new(), other_nan);
                    assert_eq!(call.outcome, Outcome::Hit);
                });
            }

            #[test]
            fn collections_of_the_same_elements() {
                #[cachier($($argument)*)]
                fn show(lists: &[Vec<u8>], map: BTreeMap<u8, u8>, pair: (u8, Option<u8>)) -> String {
                    format!("{lists:?} {map:?} {pair:?}")
                }

                in_folder(|_| {
                    let lists: [&[Vec<u8>]; 4] = [&[], &[vec![]], &[vec![1, 2]], &[vec![1], vec![2]]];
                    let maps = [BTreeMap::new(), BTreeMap::from([(1, 2)]), BTreeMap::from([(2, 1)])];
                    let pairs = [(1, None), (1, Some(0)), (0, Some(1))];
                    for list in lists {
                        for map in &maps {
                            for pair in pairs {
                                let shown = show(list, map.clone(), pair);
                                assert_eq!(shown, format!("{list:?} {map:?} {pair:?}"));
                            }
                        }
                    }
                });
            }

            #[test]
            fn functions_of_one_name_in_two_impls() {
                struct Cat;
                struct Dog;

                impl Cat {
                    #[cachier($($argument)*, skip(self))]
                    fn says(&self, times: usize) -> String {
                        "meow".repeat(times)
                    }
                }

                impl Dog {
                    #[cachier($($argument)*, skip(self))]
                    fn says(&self, times: usize) -> String {
                        "wuff".repeat(times)
                    }
                }

                in_folder(|_| assert_eq!([Cat.says(1), Dog.says(1)], ["meow", "wuff"]));
            }

            #[test]
            fn functions_of_one_name_in_two_functions() {
                fn here() -> u64 {
                    #[cachier($($argument)*)]
                    fn inner(number: u64) -> u64 {
                        number + 1
                    }
                    inner(1)
                }

                fn there() -> u64 {
                    #[cachier($($argument)*)]
                    fn inner(number: u64) -> u64 {
                        number + 2
                    }
                    inner(1)
                }

                in_folder(|_| assert_eq!([here(), there()], [2, 3]));
            }

            #[test]
            fn instantiations_of_a_generic_function() {
                #[cachier($($argument)*)]
                fn name<T>(_number: u64) -> String {
                    std::any::type_name::<T>().to_owned()
                }

                in_folder(|_| {
                    assert_eq!([name::<u8>(1), name::<u16>(1)], ["u8", "u16"]);
                    assert_eq!([name::<u8>(1), name::<u16>(1)], ["u8", "u16"]);
                });
            }

            #[test]
            fn instantiations_of_a_generic_impl() {
                struct Typed<T>(std::marker::PhantomData<T>);

                impl<T: 'static> Typed<T> {
                    #[cachier($($argument)*, in_impl)]
                    fn name(_number: u64) -> String {
                        std::any::type_name::<T>().to_owned()
                    }
                }

                in_folder(|_| {
                    let both = || [Typed::<u8>::name(1), Typed::<u16>::name(1)];
                    assert_eq!(both(), ["u8", "u16"]);
                    assert_eq!(both(), ["u8", "u16"]);
                });
            }
        }
    )*};
}

unequal! {
    memory: (backend = "memory");
    file: (backend = "file");
    near: (backend = "file", near_cache = 10);
}

#[test]
fn skips_and_key_closures_determine_the_key() {
    #[cachier(backend = "file", skip(verbose))]
    fn skipping(number: u64, verbose: bool) -> (u64, bool) {
        (number, verbose)
    }

    #[cachier(backend = "file", key = |text| text.to_lowercase())]
    fn folded(text: &str) -> String {
        text.to_owned()
    }

    in_folder(|_| {
        assert_eq!(skipping(1, true), (1, true));
        assert_eq!(skipping(1, false), (1, true));
        assert_eq!(
            [folded("Oslo"), folded("OSLO"), folded("Bergen")],
            ["Oslo", "Oslo", "Bergen"]
        );
    });
}

#[test]
fn changed_code_recomputes_unless_versioned() {
    mod before {
        #[cachier::cachier(backend = "file", name = "auto")]
        pub(super) fn auto() -> u8 {
            1
        }

        #[cachier::cachier(backend = "file", name = "fixed", version = 1)]
        pub(super) fn fixed() -> u8 {
            1
        }
    }

    mod after {
        #[cachier::cachier(backend = "file", name = "auto")]
        pub(super) fn auto() -> u8 {
            2
        }

        #[cachier::cachier(backend = "file", name = "fixed", version = 1)]
        pub(super) fn fixed() -> u8 {
            2
        }
    }

    let folder = tempfile::tempdir().unwrap();
    // One context cannot hold two functions of a name: two builds of one program would.
    let in_build = |run: fn() -> [u8; 2]| {
        cachier::testing::isolated(|| {
            let params = cachier::global_params().cache_dir(folder.path());
            cachier::set_global_params(params.namespace("shared"));
            run()
        })
    };
    assert_eq!(in_build(|| [before::auto(), before::fixed()]), [1, 1]);
    assert_eq!(in_build(|| [after::auto(), after::fixed()]), [2, 1]);
    assert_eq!(in_build(|| [before::auto(), before::fixed()]), [1, 1]);
}
