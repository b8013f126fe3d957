//! The threads that queries run on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures::channel::oneshot;
use resident_base::{ApplicationId, ChainId};

use crate::{
    Executor, Fault, ServiceInstances,
    pool::{STACK_BYTES, panicked},
    service_queue::{ServiceQueue, Subject},
};

/// Runs with a thread's instances, or learns that there is no room for it.
type Job = Box<dyn FnOnce(Result<&mut ServiceInstances, Fault>) + Send>;

/// How often a thread without work looks whether what waits for another thread has waited long enough.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A few threads for queries, each with [`ServiceInstances`] of its own.
///
/// Blocks have other threads, so that clients who ask do not hold them up. Queries about the same chain and
/// application run one after the other, on the same thread as long as that one has time, since an instance
/// can only be used on the thread that made it. Chains and applications take turns, and none of them has all
/// threads. Dropping waits for the queries that have begun or wait.
pub struct ServiceThreads {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    queue: ServiceQueue<Job>,
    closed: bool,
}

impl ServiceThreads {
    /// Starts `threads` threads, at least one, each of which keeps at most `instances` instances of
    /// services between queries.
    pub fn new(executor: &Executor, threads: usize, instances: usize) -> Self {
        let threads = threads.max(1);
        let state = State {
            queue: ServiceQueue::new(threads),
            closed: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let start = |number| start(number, shared.clone(), executor.clone(), instances);
        let threads = (0..threads).map(start).collect();
        ServiceThreads { shared, threads }
    }

    /// Runs a job on the thread of a chain.
    ///
    /// The job runs whether or not the future is polled, and even if it is dropped. If it panics, which
    /// is a bug, the future says so, and the thread goes on with new instances.
    pub fn run<T: Send + 'static>(
        &self,
        chain_id: ChainId,
        job: impl FnOnce(&mut ServiceInstances) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Fault>> + Send + 'static {
        let application_id = None;
        self.add(
            Subject {
                chain_id,
                application_id,
            },
            job,
        )
    }

    /// As [`run`](Self::run), for a job that asks the service of an application. If too many of these wait,
    /// the future says so at once.
    pub fn ask<T: Send + 'static>(
        &self,
        chain_id: ChainId,
        application_id: ApplicationId,
        job: impl FnOnce(&mut ServiceInstances) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Fault>> + Send + 'static {
        let application_id = Some(application_id);
        self.add(
            Subject {
                chain_id,
                application_id,
            },
            job,
        )
    }

    fn add<T: Send + 'static>(
        &self,
        subject: Subject,
        job: impl FnOnce(&mut ServiceInstances) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Fault>> + Send + 'static {
        let (sender, receiver) = oneshot::channel();
        let job = move |instances: Result<&mut ServiceInstances, Fault>| {
            let result = instances.and_then(|instances| run_caught(instances, job));
            // Nobody may be waiting any more.
            let _ = sender.send(result);
        };
        let refused = self.shared.lock().queue.add(subject, Box::new(job));
        if let Some((Subject { chain_id, .. }, job)) = refused {
            job(Err(Fault::Overloaded(chain_id)));
        }
        self.shared.changed.notify_all();
        async move {
            let gone = |_| Fault::Panicked("the thread is gone".to_owned());
            receiver.await.map_err(gone)?
        }
    }
}

fn run_caught<T>(
    instances: &mut ServiceInstances,
    job: impl FnOnce(&mut ServiceInstances) -> T,
) -> Result<T, Fault> {
    let result = catch_unwind(AssertUnwindSafe(|| job(instances)));
    result.map_err(|panic| {
        instances.clear();
        panicked(&*panic)
    })
}

fn start(
    number: usize,
    shared: Arc<Shared>,
    executor: Executor,
    instances: usize,
) -> JoinHandle<()> {
    let run = move || {
        let mut instances = ServiceInstances::new(executor, instances);
        while let Some(job) = shared.next(number) {
            job(Ok(&mut instances));
            shared.lock().queue.end(number, Instant::now());
            shared.changed.notify_all();
        }
    };
    thread::Builder::new()
        .name(format!("service-{number}"))
        .stack_size(STACK_BYTES)
        .spawn(run)
        .expect("the system can start a few threads")
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job for a thread; none when everything is done and nothing more will come.
    fn next(&self, thread: usize) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some((_, job)) = state.queue.take(thread, Instant::now()) {
                return Some(job);
            }
            let is_done = state.queue.is_empty();
            if is_done && state.closed {
                return None;
            }
            state = if is_done {
                let woken = self.changed.wait(state);
                woken.unwrap_or_else(PoisonError::into_inner)
            } else {
                let woken = self.changed.wait_timeout(state, LOOK_AGAIN);
                woken.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

impl Drop for ServiceThreads {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A job may own the last handle, and a thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
