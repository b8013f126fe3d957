//! The threads that blocks run on.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures::channel::oneshot;
use resident_wasm::NATIVE_STACK_BYTES;

use crate::{Fault, runtime::MAX_CALL_DEPTH};

type Job = Box<dyn FnOnce() + Send>;

type JobNumber = u64;

/// A bounded number of threads, each of which runs one block at a time.
///
/// A block stays on its thread from beginning to end, and the threads are used again. Jobs wait in
/// the order in which they came. While a block does nothing but wait for what another one is making, a
/// spare thread takes its place, and so it does when a block has run for a second while others wait: as far as
/// there are spare threads, blocks that take long do not hold up all others. Dropping the pool waits for
/// the jobs that have begun or wait.
pub struct BlockPool {
    queue: Arc<Queue>,
}

struct Queue {
    /// Jobs that may run at the same time, not counting those that wait, or that run for long.
    size: usize,
    /// After this time a job does not hold up others any more.
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Jobs that run and do not wait, and since when they run, unless they have lost their place to another
    /// because they take long. When a wait ends this can become more than the size, until a job ends.
    active: BTreeMap<JobNumber, Instant>,
    next_number: JobNumber,
    /// Threads without a job, those included that are about to take one.
    idle: usize,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

thread_local! {
    /// The queue that this thread takes its jobs from.
    static QUEUE: RefCell<Option<Arc<Queue>>> = const { RefCell::new(None) };
    /// The job that runs on this thread, and since when.
    static JOB: Cell<Option<(JobNumber, Instant)>> = const { Cell::new(None) };
}

/// What runs as long as this, while others wait for their turn, loses its place to them.
const LONG: Duration = Duration::from_secs(1);

/// The most threads that a pool starts beyond those that it was told to have. This many blocks can wait
/// for the same contract to be compiled, or take long, before they hold up others.
pub(crate) const SPARE_THREADS: usize = 32;

/// The stack of a block's thread. Wasmtime runs guests on it, and allows every instance that is entered
/// [`NATIVE_STACK_BYTES`], counted from where the stack is then. Instances that call each other share one budget of
/// call-stack height, which a fraction of that is enough for, so twice as much is more than all of them can use. Beside
/// them there is room for the frames of the node itself, as many as calls can be nested. Only what is used of all this takes
/// memory.
pub(crate) const STACK_BYTES: usize = 2 * NATIVE_STACK_BYTES + MAX_CALL_DEPTH * HOST_FRAMES_BYTES;

/// What the node's own functions may use of the stack for each call of an application.
const HOST_FRAMES_BYTES: usize = 1 << 20;

impl BlockPool {
    /// Starts `threads` threads, at least one.
    pub fn new(threads: usize) -> Self {
        Self::with_patience(threads, LONG)
    }

    fn with_patience(threads: usize, patience: Duration) -> Self {
        let queue = Arc::new(Queue {
            size: threads.max(1),
            patience,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut state = queue.lock();
        for _ in 0..queue.size {
            queue
                .start_thread(&mut state)
                .expect("the system can start a few threads");
        }
        drop(state);
        BlockPool { queue }
    }

    /// As many threads as the machine has processors.
    pub fn default_size() -> usize {
        thread::available_parallelism().map_or(1, usize::from)
    }

    /// Runs a job on one of the threads.
    ///
    /// The job runs whether or not the future is polled, and even if it is dropped. If the job
    /// panics, which is a bug, the future says so, and the thread lives on.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Fault>> + Send + 'static {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(job)).map_err(|panic| panicked(&*panic));
            // Nobody may be waiting any more.
            let _ = sender.send(result);
        };
        let mut state = self.queue.lock();
        state.jobs.push_back(Box::new(job));
        self.queue.find_thread(&mut state);
        drop(state);
        async move {
            let gone = |_| Fault::Panicked("the thread is gone".to_owned());
            receiver.await.map_err(gone)?
        }
    }
}

impl Drop for BlockPool {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
        let next = || self.queue.lock().threads.pop();
        while let Some(thread) = next() {
            // A job may own the last handle of the pool, and a thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                let _ = wait_for_another(|| thread.join());
            }
        }
    }
}

/// Waits for what is being made on another thread. If this is a thread of a pool, others of its jobs can
/// run meanwhile.
pub(crate) fn wait_for_another<T>(wait: impl FnOnce() -> T) -> T {
    let queue = QUEUE.with(|queue| queue.borrow().clone());
    let _aside = queue.as_ref().map(Aside::step);
    wait()
}

/// A job that gave its place up until this is dropped.
struct Aside<'a>(&'a Arc<Queue>);

impl<'a> Aside<'a> {
    fn step(queue: &'a Arc<Queue>) -> Self {
        let mut state = queue.lock();
        if let Some((number, _)) = JOB.get() {
            state.active.remove(&number);
        }
        queue.find_thread(&mut state);
        Aside(queue)
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if let Some((number, since)) = JOB.get() {
            self.0.lock().active.insert(number, since);
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that somebody takes the next job as soon as it may run.
    fn find_thread(self: &Arc<Self>, state: &mut State) {
        if state.jobs.is_empty() {
            return;
        }
        if state.idle > 0 {
            self.changed.notify_one();
        } else if state.threads.len() < self.size + SPARE_THREADS && !state.closed {
            // Without a spare thread the job waits for one of the others.
            let _ = self.start_thread(state);
        }
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let queue = self.clone();
        let thread = thread::Builder::new()
            .name(format!("block-{}", state.threads.len()))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                QUEUE.set(Some(queue.clone()));
                while let Some(job) = queue.next() {
                    job();
                    queue.job_ended();
                }
            })?;
        state.threads.push(thread);
        state.idle += 1;
        Ok(())
    }

    /// The next job; none when the pool is closed and nothing is left.
    fn next(self: &Arc<Self>) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if self.has_place(&mut state, now)
                && let Some(job) = state.jobs.pop_front()
            {
                let number = state.next_number;
                state.next_number += 1;
                state.active.insert(number, now);
                JOB.set(Some((number, now)));
                state.idle -= 1;
                // Whoever brought the job behind it may have counted on this thread.
                self.find_thread(&mut state);
                return Some(job);
            }
            if state.closed && state.jobs.is_empty() {
                self.changed.notify_all();
                return None;
            }
            state = self.sleep(state, now);
        }
    }

    /// Whether another job may run. Those that took long have no place any more if others want it.
    fn has_place(&self, state: &mut State, now: Instant) -> bool {
        if state.active.len() >= self.size && !state.jobs.is_empty() {
            let is_short = |since: &Instant| now.saturating_duration_since(*since) < self.patience;
            state.active.retain(|_, since| is_short(since));
        }
        state.active.len() < self.size
    }

    /// Waits for a change, or until the first job that others wait for has taken long.
    fn sleep<'a>(&self, state: MutexGuard<'a, State>, now: Instant) -> MutexGuard<'a, State> {
        let first = state.active.values().min();
        let until = first.map(|since| *since + self.patience);
        match until.filter(|_| !state.jobs.is_empty()) {
            None => {
                let woken = self.changed.wait(state);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
            Some(until) => {
                let time = until.saturating_duration_since(now);
                let woken = self.changed.wait_timeout(state, time);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    fn job_ended(&self) {
        let mut state = self.lock();
        if let Some((number, _)) = JOB.take() {
            state.active.remove(&number);
        }
        state.idle += 1;
    }
}

pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Fault::Panicked(message.unwrap_or("no message").to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        time::Duration,
    };

    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_panicking_job_says_so_and_leaves_the_thread_alive() {
        let pool = BlockPool::new(1);
        let failed: Result<(), Fault> = block_on(pool.run(|| panic!("out of {}", "luck")));
        let Err(Fault::Panicked(message)) = failed else {
            panic!("the job panicked: {failed:?}");
        };
        assert_eq!(message, "out of luck");
        assert!(matches!(block_on(pool.run(|| 7)), Ok(7)));
    }

    #[test]
    fn jobs_run_side_by_side_and_each_on_one_thread() {
        let pool = BlockPool::new(2);
        let (sender, receiver) = mpsc::channel();
        // Each job waits for the other, which they could not do on one thread.
        let first = pool.run(move || {
            let before = thread::current().id();
            receiver.recv().expect("the other job sends");
            before == thread::current().id()
        });
        let second = pool.run(move || sender.send(()).is_ok());
        assert!(matches!(block_on(first), Ok(true)));
        assert!(matches!(block_on(second), Ok(true)));
    }

    #[test]
    fn dropping_the_pool_waits_for_jobs_that_nobody_waits_for() {
        let (sender, receiver) = mpsc::channel();
        let pool = BlockPool::new(1);
        for number in 0..3 {
            let sender = sender.clone();
            drop(pool.run(move || sender.send(number)));
        }
        drop((pool, sender));
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_job_that_waits_for_another_lends_its_place() {
        let pool = BlockPool::new(1);
        let (sender, receiver) = mpsc::channel();
        let limit = Duration::from_secs(60);
        let first = pool.run(move || wait_for_another(|| receiver.recv_timeout(limit).is_ok()));
        let second = pool.run(move || sender.send(()).is_ok());
        assert!(matches!(block_on(first), Ok(true)));
        assert!(matches!(block_on(second), Ok(true)));
    }

    #[test]
    fn a_job_that_takes_long_does_not_hold_up_others() {
        let pool = BlockPool::with_patience(1, Duration::from_millis(20));
        let (sender, receiver) = mpsc::channel();
        let limit = Duration::from_secs(60);
        let first = pool.run(move || receiver.recv_timeout(limit).is_ok());
        let others: Vec<_> = (0..3).map(|number| pool.run(move || number)).collect();
        for (number, other) in others.into_iter().enumerate() {
            assert!(matches!(block_on(other), Ok(done) if done == number));
        }
        sender.send(()).unwrap();
        assert!(matches!(block_on(first), Ok(true)));
    }

    #[test]
    fn spare_threads_are_bounded_and_all_jobs_are_done() {
        let counts = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let pool = BlockPool::new(2);
        for _ in 0..100 {
            let [running, most, done] = counts.clone();
            drop(pool.run(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                wait_for_another(|| thread::sleep(Duration::from_millis(2)));
                running.fetch_sub(1, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
            }));
        }
        let queue = pool.queue.clone();
        drop(pool);
        let [running, most, done] = counts.map(|count| count.load(Ordering::SeqCst));
        assert_eq!((running, done), (0, 100));
        assert!(most <= 2 + SPARE_THREADS, "{most} at once");
        assert!(queue.lock().active.is_empty());
    }

    #[test]
    fn a_job_that_panics_while_it_waits_has_its_place_back() {
        let pool = BlockPool::new(1);
        let failed: Result<(), Fault> =
            block_on(pool.run(|| wait_for_another(|| panic!("no more"))));
        assert!(matches!(failed, Err(Fault::Panicked(_))));
        assert!(matches!(block_on(pool.run(|| 7)), Ok(7)));
        let queue = pool.queue.clone();
        drop(pool);
        assert!(queue.lock().active.is_empty());
    }

    #[test]
    fn a_job_may_drop_the_pool_while_others_are_left() {
        let pool = Arc::new(BlockPool::new(1));
        let (sender, receiver) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (own, sent) = (pool.clone(), sender.clone());
        drop(pool.run(move || {
            wait_for_another(|| released.recv()).unwrap_err();
            drop(own);
            sent.send(1).unwrap();
        }));
        for number in 2..=4 {
            let sender = sender.clone();
            drop(pool.run(move || sender.send(number)));
        }
        drop((pool, sender, release));
        let mut all: Vec<i32> = receiver.iter().collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4]);
    }
}
