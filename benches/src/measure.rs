//! Taking samples in turns, and telling their medians.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// One side of a comparison: what it is called, and what is done.
pub struct Subject<'a> {
    name: String,
    /// Does so many steps and says how long they took.
    steps: Box<dyn FnMut(u32) -> Duration + 'a>,
}

impl<'a> Subject<'a> {
    /// Measures the whole of `step`.
    pub fn new<T>(name: impl Into<String>, mut step: impl FnMut() -> T + 'a) -> Self {
        let steps = move |count| {
            let started = thread_time();
            for _ in 0..count {
                std::hint::black_box(step());
            }
            thread_time() - started
        };
        Subject {
            name: name.into(),
            steps: Box::new(steps),
        }
    }

    /// Lets `step` say how long the part took that counts, by [`thread_time`].
    pub fn timed(name: impl Into<String>, mut step: impl FnMut() -> Duration + 'a) -> Self {
        Subject {
            name: name.into(),
            steps: Box::new(move |count| (0..count).map(|_| step()).sum()),
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
    let samples = sample(&mut subjects);
    let first = median(samples[0].clone());
    for (subject, samples) in subjects.iter().zip(samples) {
        let smallest = samples.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = samples.iter().copied().fold(0.0, f64::max);
        let median = median(samples);
        println!(
            "{:<64} {:>12} [{} .. {}] {:>8.2}x",
            subject.name,
            show(median),
            show(smallest),
            show(largest),
            median / first,
        );
    }
    println!();
}

/// Measures the subjects in turns: for each the seconds of one step, by round.
pub fn sample(subjects: &mut [Subject<'_>]) -> Vec<Vec<f64>> {
    let counts: Vec<u32> = subjects.iter_mut().map(steps_per_sample).collect();
    let mut samples = vec![Vec::with_capacity(SAMPLES); subjects.len()];
    for _ in 0..SAMPLES {
        for ((subject, samples), count) in subjects.iter_mut().zip(&mut samples).zip(&counts) {
            samples.push((subject.steps)(*count).as_secs_f64() / f64::from(*count));
        }
    }
    samples
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A time with its unit.
pub fn show(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-6 => format!("{:.1} ns", seconds * 1e9),
        seconds if seconds < 1e-3 => format!("{:.2} us", seconds * 1e6),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}

/// Warms up, and finds how many steps make a sample.
fn steps_per_sample(subject: &mut Subject<'_>) -> u32 {
    let mut count = 1;
    while (subject.steps)(count) < SAMPLE_TIME && count < 1 << 20 {
        count *= 2;
    }
    count
}

/// Processor time of this thread: what others do on the machine counts less than on the wall's clock.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Processor time of this process, for work that is done on another thread.
pub fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}
