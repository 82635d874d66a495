fn main() {
    let seed = std::env::args().count() as u64;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // calls
    drop((seed, runtime));
}
