//! Cached functions that most tests need, each declared by one line with its attribute's arguments.

/// Declares `double`, which doubles a number.
#[macro_export]
macro_rules! double {
    ($($argument:tt)*) => {
        #[::cachier::cachier($($argument)*)]
        fn double(number: u64) -> u64 {
            number * 2
        }
    };
}

/// Declares `count`, which returns the number of its run, as a [`Counter`](crate::gate::Counter) of this name counts them.
#[macro_export]
macro_rules! count {
    ($runs:ident $(, $($argument:tt)*)?) => {
        static $runs: $crate::gate::Counter = $crate::gate::Counter::new();

        #[::cachier::cachier($($($argument)*)?)]
        fn count(_key: u8) -> u64 {
            $runs.next()
        }
    };
}

/// As [`count!`], for tasks.
#[macro_export]
macro_rules! count_async {
    ($runs:ident $(, $($argument:tt)*)?) => {
        static $runs: $crate::gate::Counter = $crate::gate::Counter::new();

        #[::cachier::cachier($($($argument)*)?)]
        async fn count(_key: u8) -> u64 {
            $runs.next()
        }
    };
}

/// Declares a function of this name, which returns its number.
#[macro_export]
macro_rules! identity {
    ($name:ident, $($argument:tt)*) => {
        #[::cachier::cachier($($argument)*)]
        fn $name(number: u64) -> u64 {
            number
        }
    };
}

/// Declares `repeat`, whose result is as long as asked for.
#[macro_export]
macro_rules! repeat {
    ($($argument:tt)*) => {
        #[::cachier::cachier($($argument)*)]
        fn repeat(length: usize) -> String {
            "x".repeat(length)
        }
    };
}

/// Declares `triple`, an async function.
#[macro_export]
macro_rules! triple {
    ($($argument:tt)*) => {
        #[::cachier::cachier($($argument)*)]
        async fn triple(number: u64) -> u64 {
            number * 3
        }
    };
}

/// The outcome of a call, such as `outcome!(double(21))`.
#[macro_export]
macro_rules! outcome {
    ($function:ident($($argument:expr),*)) => {
        $function::call_detailed(::cachier::CallOptions::new(), $($argument),*).outcome
    };
}
