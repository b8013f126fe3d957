//! The threads that blocks run on.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use futures::channel::oneshot;
use resident_wasm::NATIVE_STACK_BYTES;

use crate::{Fault, runtime::MAX_CALL_DEPTH};

type Job = Box<dyn FnOnce() + Send>;

/// A bounded number of threads, each of which runs one block at a time.
///
/// A block stays on its thread from beginning to end, and the threads are used again. Jobs wait in
/// the order in which they came. Dropping the pool waits for the jobs that have begun or wait.
pub struct BlockPool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// The stack of a block's thread. Wasmtime gives every instance that is entered its own
/// [`NATIVE_STACK_BYTES`], counted from where the stack is then, so there is room for as many as can be
/// nested. Only what is used of it takes memory.
const STACK_BYTES: usize = (MAX_CALL_DEPTH + 2) * NATIVE_STACK_BYTES;

impl BlockPool {
    /// Starts `threads` threads, at least one.
    pub fn new(threads: usize) -> Self {
        let queue = Arc::new(Queue::default());
        let threads = (0..threads.max(1))
            .map(|index| start(index, queue.clone()))
            .collect();
        BlockPool { queue, threads }
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
        self.queue.lock().jobs.push_back(Box::new(job));
        self.queue.changed.notify_one();
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
        for thread in self.threads.drain(..) {
            // A job may own the last handle of the pool, and a thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; none when the pool is closed and nothing is left.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn start(index: usize, queue: Arc<Queue>) -> JoinHandle<()> {
    thread::Builder::new()
        .name(format!("block-{index}"))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            while let Some(job) = queue.next() {
                job();
            }
        })
        .expect("the system can start a few threads")
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Fault::Panicked(message.unwrap_or("no message").to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

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
}
