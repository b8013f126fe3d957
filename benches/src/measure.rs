//! Taking samples in turns, and telling their medians.

use std::time::{Duration, Instant};

/// One side of a comparison: what it is called, and what is done.
pub struct Subject<'a> {
    name: String,
    step: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Subject<'a> {
    /// Measures the whole of `step`.
    pub fn new<T>(name: impl Into<String>, mut step: impl FnMut() -> T + 'a) -> Self {
        Self::timed(name, move || {
            let started = Instant::now();
            std::hint::black_box(step());
            started.elapsed()
        })
    }

    /// Lets `step` say how long the part took that counts.
    pub fn timed(name: impl Into<String>, step: impl FnMut() -> Duration + 'a) -> Self {
        Subject {
            name: name.into(),
            step: Box::new(step),
        }
    }
}

/// Samples of each subject that count.
const SAMPLES: usize = 31;

/// How long a sample should last at least, so that the clock does not matter.
const SAMPLE_TIME: Duration = Duration::from_micros(200);

/// Measures the subjects in turns and prints a line for each: median, smallest and largest time of one
/// step, and the ratio of its median to the first subject's.
pub fn compare(mut subjects: Vec<Subject<'_>>) {
    let steps: Vec<u32> = subjects.iter_mut().map(steps_per_sample).collect();
    let mut samples = vec![Vec::with_capacity(SAMPLES); subjects.len()];
    for _ in 0..SAMPLES {
        for ((subject, samples), steps) in subjects.iter_mut().zip(&mut samples).zip(&steps) {
            let total: Duration = (0..*steps).map(|_| (subject.step)()).sum();
            samples.push(total.as_secs_f64() / f64::from(*steps));
        }
    }
    let mut first = None;
    for (subject, mut samples) in subjects.iter().zip(samples) {
        samples.sort_by(f64::total_cmp);
        let median = samples[SAMPLES / 2];
        let first = *first.get_or_insert(median);
        println!(
            "{:<64} {:>12} [{} .. {}] {:>8.2}x",
            subject.name,
            show(median),
            show(samples[0]),
            show(samples[SAMPLES - 1]),
            median / first,
        );
    }
    println!();
}

/// Warms up, and finds how many steps make a sample.
fn steps_per_sample(subject: &mut Subject<'_>) -> u32 {
    let mut steps = 1;
    loop {
        let total: Duration = (0..steps).map(|_| (subject.step)()).sum();
        if total >= SAMPLE_TIME || steps >= 1 << 20 {
            return steps;
        }
        steps *= 2;
    }
}

fn show(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-6 => format!("{:.1} ns", seconds * 1e9),
        seconds if seconds < 1e-3 => format!("{:.2} us", seconds * 1e6),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}
