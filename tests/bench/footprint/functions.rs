use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Record {
    pub id: u64,
    pub title: String,
    pub tags: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum Failure {
    Absent,
    Refused(String),
}

#[plain]
fn square(id: u64) -> u64 {
    id * id
}

#[plain]
fn greeting(name: &str) -> String {
    format!("Good morning, {name}")
}

#[plain]
fn repeated(word: &str, times: u32) -> Result<String, Failure> {
    if times == 0 {
        return Err(Failure::Absent);
    }
    Ok(word.repeat(times as usize))
}

#[plain]
fn contents(path: PathBuf) -> Result<Arc<Vec<u8>>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::Refused(error.to_string()))?;
    Ok(Arc::new(bytes))
}

#[plain]
fn quotient(dividend: i64, divisor: i64, exact: bool) -> Option<i64> {
    (divisor != 0 && (!exact || dividend % divisor == 0)).then(|| dividend / divisor)
}

#[bounded]
fn record(id: u64, title: String) -> Record {
    Record { id, tags: title.split(' ').map(str::to_owned).collect(), title }
}

#[aging]
fn frequencies(text: String) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

#[plain]
async fn fetched(id: u64) -> Result<Record, Failure> {
    tokio::task::yield_now().await;
    if id == 0 {
        return Err(Failure::Absent);
    }
    Ok(Record { id, title: String::new(), tags: Vec::new() })
}

#[aging]
async fn page(user: String, page: u32) -> Vec<u64> {
    tokio::task::yield_now().await;
    (0..u64::from(page)).map(|row| row + user.len() as u64).collect()
}

#[bounded]
async fn total(account: u32, currency: String) -> u64 {
    tokio::task::yield_now().await;
    u64::from(account) + currency.len() as u64
}

pub async fn call_all(seed: u64) {
    let text = format!("{seed}");
    println!("{} {} {:?}", square(seed), greeting(&text), repeated(&text, 3));
    println!("{:?} {:?}", contents(PathBuf::from(&text)), quotient(seed as i64, 3, true));
    println!("{:?} {:?}", record(seed, text.clone()), frequencies(text.clone()));
    println!("{:?} {:?}", fetched(seed).await, page(text.clone(), 7).await);
    println!("{}", total(seed as u32, text).await);
}
