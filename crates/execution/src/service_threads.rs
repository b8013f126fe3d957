//! The threads that queries run on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::{self, JoinHandle},
};

use futures::channel::oneshot;
use resident_base::ChainId;

use crate::{
    Executor, Fault, ServiceInstances,
    pool::{STACK_BYTES, panicked},
};

type Job = Box<dyn FnOnce(&mut ServiceInstances) + Send>;

/// Queries that may wait for one thread.
const MAX_WAITING: usize = 1_000;

/// A few threads for queries, each with [`ServiceInstances`] of its own.
///
/// Blocks have other threads, so that clients who ask do not hold them up. A chain always has the same
/// thread, since an instance can only be used on the thread that made it. Dropping waits for the queries
/// that have begun or wait.
pub struct ServiceThreads {
    threads: Vec<ServiceThread>,
}

struct ServiceThread {
    jobs: Option<SyncSender<Job>>,
    handle: Option<JoinHandle<()>>,
}

impl ServiceThreads {
    /// Starts `threads` threads, at least one, each of which keeps at most `instances` instances of
    /// services between queries.
    pub fn new(executor: &Executor, threads: usize, instances: usize) -> Self {
        let start = |number| ServiceThread::start(number, executor.clone(), instances);
        let threads = (0..threads.max(1)).map(start).collect();
        ServiceThreads { threads }
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
        let (sender, receiver) = oneshot::channel();
        let job = move |instances: &mut ServiceInstances| {
            let result = catch_unwind(AssertUnwindSafe(|| job(instances)));
            if result.is_err() {
                instances.clear();
            }
            // Nobody may be waiting any more.
            let _ = sender.send(result.map_err(|panic| panicked(&*panic)));
        };
        let sent = self.thread(chain_id).try_send(Box::new(job));
        async move {
            sent?;
            let gone = |_| Fault::Panicked("the thread is gone".to_owned());
            receiver.await.map_err(gone)?
        }
    }

    fn thread(&self, chain_id: ChainId) -> &ServiceThread {
        let first = usize::from(chain_id.0.as_bytes()[0]);
        &self.threads[first % self.threads.len()]
    }
}

impl ServiceThread {
    fn start(number: usize, executor: Executor, instances: usize) -> Self {
        let (sender, receiver): (_, Receiver<Job>) = sync_channel(MAX_WAITING);
        let run = move || {
            let mut instances = ServiceInstances::new(executor, instances);
            receiver.into_iter().for_each(|job| job(&mut instances));
        };
        let thread = thread::Builder::new()
            .name(format!("service-{number}"))
            .stack_size(STACK_BYTES)
            .spawn(run)
            .expect("the system can start a few threads");
        ServiceThread {
            jobs: Some(sender),
            handle: Some(thread),
        }
    }

    fn try_send(&self, job: Job) -> Result<(), Fault> {
        let jobs = self.jobs.as_ref().expect("taken only when dropped");
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Fault::Overloaded,
            TrySendError::Disconnected(_) => Fault::Panicked("the thread is gone".to_owned()),
        })
    }
}

impl Drop for ServiceThread {
    fn drop(&mut self) {
        self.jobs = None;
        // A job may own the last handle, and a thread cannot wait for itself.
        let handle = self.handle.take();
        if let Some(handle) = handle.filter(|handle| handle.thread().id() != thread::current().id())
        {
            let _ = handle.join();
        }
    }
}
