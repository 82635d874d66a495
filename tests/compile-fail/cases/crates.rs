//! Crates and modules of the function's name, which the companion would hide where they are used, or meet where they are brought
//! in.

mod of_crates {
    use std::time::Duration;

    use cachier::cachier;

    #[cachier(backend = "memory")]
    fn std(id: u64) -> Duration {
        Duration::from_secs(id)
    }

    #[cachier(backend = "memory")]
    async fn cachier(id: u64) -> u64 {
        id
    }

    #[cachier(backend = "memory")]
    fn core(id: u64) -> core::num::NonZero<u64> {
        core::num::NonZero::new(id).unwrap()
    }
}

mod of_modules {
    use std::{env, fmt, time::{self, Duration}};

    use cachier::cachier;

    #[cachier(backend = "memory")]
    fn env(id: u64) -> Option<String> {
        env::var(id.to_string()).ok()
    }

    #[cachier(backend = "memory")]
    fn fmt(id: u64) -> u64 {
        id
    }

    struct Shown;

    impl fmt::Display for Shown {
        fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("shown")
        }
    }

    #[cachier(backend = "memory", companion = time)]
    fn later(id: u64) -> time::Duration {
        Duration::from_secs(id)
    }
}

fn main() {}
