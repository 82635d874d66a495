#![allow(clippy::unwrap_used)]

use super::*;

fn parsed<T: Value>(value: &str) -> Result<Option<T>, String> {
    let variable = Variable::<T>::new("CACHIER_X");
    let parsed = variable.parse(Some(value.into()));
    parsed.map_err(|error| error.to_string())
}

fn is_unusable<T: Value>(value: &str) -> bool {
    parsed::<T>(value).is_err()
}

#[test]
fn flags_are_on_or_off_or_unusable() {
    for on in ["1", "true", "TRUE", "yes", "on", " 1\n"] {
        assert_eq!(parsed(on), Ok(Some(Flag::On)), "{on}");
    }
    for off in ["0", "false", "no", "Off"] {
        assert_eq!(parsed(off), Ok(Some(Flag::Off)), "{off}");
    }
    for unusable in ["2", "maybe", "-", "tru"] {
        assert!(is_unusable::<Flag>(unusable), "{unusable}");
    }
}

#[test]
fn numbers_are_positive() {
    assert_eq!(parsed("3"), Ok(NonZeroUsize::new(3)));
    for unusable in ["0", "-1", "1.5", "8x", "eight", "99999999999999999999999"] {
        assert!(is_unusable::<NonZeroUsize>(unusable), "{unusable}");
    }
}

#[test]
fn addresses_have_a_scheme() {
    for url in ["redis://:p@h", "sqlite::memory:", "redis+sentinel://h/m/0"] {
        assert_eq!(&**parsed::<Address>(url).unwrap().as_ref().unwrap(), url);
    }
    for unusable in ["localhost", "://x", "redis:", "my host:1"] {
        assert!(is_unusable::<Address>(unusable), "{unusable}");
    }
}

#[test]
fn cache_folders_are_for_users_or_groups() {
    for group in ["0770", "770", "0660", "2770", " 02770\n"] {
        assert_eq!(parsed(group), Ok(Some(CacheMode::Group)), "{group}");
    }
    for user in ["0700", "700", "0600"] {
        assert_eq!(parsed(user), Ok(Some(CacheMode::User)), "{user}");
    }
    for unusable in [
        "0777", "0666", "0775", "0750", "0", "-770", "rwx", "0o770", "group",
    ] {
        assert!(is_unusable::<CacheMode>(unusable), "{unusable}");
    }
}

#[test]
fn functions_are_switched_off_together_or_by_pattern() {
    let switches = |value: &str| parsed::<Switches>(value).unwrap().unwrap();
    for none in ["0", "false", "no", ","] {
        assert!(switches(none).is_on("f", "f"), "{none}");
    }
    for all in ["1", "true", "yes", "*", "g,1"] {
        assert!(!switches(all).is_on("f", "f"), "{all}");
    }
    for unusable in ["2", "-1", "a::*,10", "?"] {
        assert!(is_unusable::<Switches>(unusable), "{unusable}");
    }
    let some = switches("a::*, b::*");
    let is_on = |name| some.is_on(name, name);
    assert!(!is_on("a::f") && !is_on("b::f") && is_on("c::f"));
}

#[test]
fn empty_is_unset() {
    assert_eq!(parsed::<Flag>(""), Ok(None));
    assert!(parsed::<Name>("").unwrap().is_none());
    assert!(parsed::<PathBuf>("").unwrap().is_none());
}

#[cfg(feature = "persistent")]
#[test]
fn a_secret_is_any_bytes_but_none() {
    let secret = Variable::<KeySecret>::new("CACHIER_X");
    assert!(is_unusable::<KeySecret>(""));
    assert!(secret.parse(None).unwrap().is_none());
    #[cfg(unix)]
    assert!(secret.parse(Some(not_unicode())).unwrap().is_some());
}

#[test]
fn an_error_names_the_variable_and_no_value() {
    let error = parsed::<Address>("s3cret").err().unwrap();
    assert_eq!(
        error,
        "the environment variable CACHIER_X cannot be used; set it to a URL, as `scheme:rest`, or unset it"
    );
}

#[cfg(unix)]
#[test]
fn non_unicode_values_are_paths_or_unusable() {
    fn parse<T: Value>() -> Result<Option<T>, Error> {
        Variable::<T>::new("CACHIER_X").parse(Some(not_unicode()))
    }
    assert!(parse::<Name>().is_err());
    assert!(parse::<Address>().is_err());
    assert!(parse::<Flag>().is_err());
    assert!(parse::<NonZeroUsize>().is_err());
    assert!(parse::<Switches>().is_err());
    assert!(parse::<PathBuf>().unwrap().is_some());
}

#[cfg(unix)]
fn not_unicode() -> OsString {
    use std::os::unix::ffi::OsStringExt as _;

    OsString::from_vec(b"a:\xff".to_vec())
}
