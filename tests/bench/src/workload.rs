//! The keys to request: seeded streams, all keys resident.

/// The default number of keys.
pub const KEYS: usize = 10_000;
/// The skew of a stream: its n-th most popular key is requested n^-0.99 times as often as the first.
pub const SKEW: f64 = 0.99;

const SEED: u64 = 0x5eed;

/// A reproducible Zipf stream of numbers below `keys`. Streams differ in their draws, not in which keys are popular.
pub fn zipf(keys: usize, length: usize, stream: u64) -> Vec<usize> {
    let mut sums = Vec::with_capacity(keys);
    let mut sum = 0.0;
    for rank in 1..=keys {
        sum += (rank as f64).powf(-SKEW);
        sums.push(sum);
    }
    let by_rank = shuffled(keys);
    let mut random = Random::new(SEED + stream + 1);
    let mut draw = || {
        let point = random.unit() * sum;
        by_rank[sums.partition_point(|bound| *bound < point).min(keys - 1)]
    };
    (0..length).map(|_| draw()).collect()
}

/// The numbers below `n` in a random order, so that popular keys are not neighbours in memory.
pub fn shuffled(n: usize) -> Vec<usize> {
    let mut random = Random::new(SEED);
    let mut order: Vec<usize> = (0..n).collect();
    random.shuffle(&mut order);
    order
}

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Seeds the generator.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Shuffles the items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = (self.unit() * (last + 1) as f64) as usize;
            items.swap(last, other);
        }
    }

    /// A number in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_determines_the_most_popular_key() {
        let stream = zipf(1000, 100_000, 0);
        let top = shuffled(1000)[0];
        let share = stream.iter().filter(|key| **key == top).count() as f64 / 1e5;
        let expected = 1.0
            / (1..=1000)
                .map(|rank| f64::from(rank).powf(-SKEW))
                .sum::<f64>();
        assert!(
            (share - expected).abs() < 0.005,
            "{share} instead of {expected}"
        );
    }

    #[test]
    fn streams_are_reproducible_and_distinct() {
        assert_eq!(zipf(100, 50, 1), zipf(100, 50, 1));
        assert_ne!(zipf(100, 50, 1), zipf(100, 50, 2));
        let mut all = shuffled(100);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
    }
}
