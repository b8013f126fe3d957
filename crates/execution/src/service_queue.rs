//! Whose query is run next: turns between chains and applications, and a share of the threads for each.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use resident_base::{ApplicationId, ChainId};

/// What a query is about. Queries about the same run one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Subject {
    /// The chain that is asked about.
    pub(super) chain_id: ChainId,
    /// The application whose service is asked; none for what concerns the thread itself.
    pub(super) application_id: Option<ApplicationId>,
}

/// Queries that may wait for all threads together.
const MAX_WAITING: usize = 1_000;

/// Queries about one subject that may wait.
const MAX_WAITING_EACH: usize = 200;

/// An application whose query took as long as this is slow for a while.
const SLOW: Duration = Duration::from_secs(1);

/// For so long.
const SLOW_FOR: Duration = Duration::from_secs(60);

/// A subject that waits for its thread this long, while that one runs something else, moves to another.
const PATIENCE: Duration = Duration::from_secs(1);

/// Subjects that have moved and slow applications are remembered up to this many.
const MAX_REMEMBERED: usize = 1_000;

/// The queries that wait and those that run.
///
/// Subjects take turns. At most half of the threads, rounded up, work for one chain or for one application.
/// Applications that were slow come after all others, and leave one thread to them. A subject keeps to one
/// thread, which has its instances, unless that one is busy with something that takes long.
pub(super) struct ServiceQueue<J> {
    waiting: BTreeMap<Subject, VecDeque<J>>,
    /// The subjects for which something waits, in the order of their turns.
    turns: VecDeque<Subject>,
    /// How many queries wait.
    count: usize,
    /// What each thread runs, and since when.
    running: Vec<Option<(Subject, Instant)>>,
    /// Where subjects are at home that had to move.
    moved: BTreeMap<Subject, usize>,
    /// Until when applications are slow.
    slow: BTreeMap<ApplicationId, Instant>,
}

impl<J> ServiceQueue<J> {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            turns: VecDeque::new(),
            count: 0,
            running: vec![None; threads],
            moved: BTreeMap::new(),
            slow: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a query behind the others about its subject. If that is too many, gives the one back that has to
    /// go: the last one of the subject for which most wait.
    pub(super) fn add(&mut self, subject: Subject, job: J) -> Option<(Subject, J)> {
        let queue = self.waiting.entry(subject).or_default();
        if queue.len() >= MAX_WAITING_EACH {
            return Some((subject, job));
        }
        if queue.is_empty() {
            self.turns.push_back(subject);
        }
        queue.push_back(job);
        self.count += 1;
        if self.count <= MAX_WAITING {
            return None;
        }
        let lengths = self
            .waiting
            .iter()
            .map(|(subject, queue)| (queue.len(), *subject));
        let (_, longest) = lengths.max()?;
        let refused = self.remove(longest, VecDeque::pop_back)?;
        Some((longest, refused))
    }

    /// The query that a thread should run now.
    pub(super) fn take(&mut self, thread: usize, now: Instant) -> Option<(Subject, J)> {
        self.slow.retain(|_, until| *until > now);
        let fast = |queue: &Self, subject: &Subject| !queue.is_slow(subject);
        let position = self
            .turn(thread, now, fast)
            .or_else(|| self.turn(thread, now, |_, _| true))?;
        let subject = self.turns.remove(position)?;
        // Its next turn comes after everybody else's.
        self.turns.push_back(subject);
        let job = self.remove(subject, VecDeque::pop_front)?;
        if self.home(&subject) != thread {
            forget_too_many(&mut self.moved);
            self.moved.insert(subject, thread);
        }
        self.running[thread] = Some((subject, now));
        Some((subject, job))
    }

    /// Notes that a thread has done what it ran.
    pub(super) fn end(&mut self, thread: usize, now: Instant) {
        let Some((subject, since)) = self.running[thread].take() else {
            return;
        };
        if let Some(id) = subject.application_id
            && now.saturating_duration_since(since) >= SLOW
        {
            forget_too_many(&mut self.slow);
            self.slow.insert(id, now + SLOW_FOR);
        }
    }

    fn turn(
        &self,
        thread: usize,
        now: Instant,
        wanted: impl Fn(&Self, &Subject) -> bool,
    ) -> Option<usize> {
        let may_run =
            |subject: &Subject| wanted(self, subject) && self.may_run(subject, thread, now);
        self.turns.iter().position(may_run)
    }

    fn may_run(&self, subject: &Subject, thread: usize, now: Instant) -> bool {
        let running = || self.running.iter().flatten().map(|(subject, _)| subject);
        let share = self.running.len().div_ceil(2);
        let of_chain = running().filter(|other| other.chain_id == subject.chain_id);
        let application = subject.application_id;
        let of_application =
            running().filter(|other| application.is_some() && other.application_id == application);
        let slow = running().filter(|other| self.is_slow(other));
        let left_to_others = self.running.len().saturating_sub(1).max(1);
        !running().any(|other| other == subject)
            && of_chain.count() < share
            && of_application.count() < share
            && (!self.is_slow(subject) || slow.count() < left_to_others)
            && self.is_at_home(subject, thread, now)
    }

    fn is_slow(&self, subject: &Subject) -> bool {
        let id = subject.application_id;
        id.is_some_and(|id| self.slow.contains_key(&id))
    }

    fn is_at_home(&self, subject: &Subject, thread: usize, now: Instant) -> bool {
        let home = self.home(subject);
        let is_busy =
            |(_, since): (Subject, Instant)| now.saturating_duration_since(since) >= PATIENCE;
        home == thread || self.running[home].is_some_and(is_busy)
    }

    fn home(&self, subject: &Subject) -> usize {
        let first = usize::from(subject.chain_id.0.as_bytes()[0]);
        let moved = self.moved.get(subject);
        moved.copied().unwrap_or(first % self.running.len())
    }

    fn remove(
        &mut self,
        subject: Subject,
        pop: impl FnOnce(&mut VecDeque<J>) -> Option<J>,
    ) -> Option<J> {
        let queue = self.waiting.get_mut(&subject)?;
        let job = pop(queue)?;
        self.count -= 1;
        if queue.is_empty() {
            self.waiting.remove(&subject);
            self.turns.retain(|other| *other != subject);
        }
        Some(job)
    }
}

/// What is remembered only helps, and is learned again.
fn forget_too_many<K: Ord, V>(remembered: &mut BTreeMap<K, V>) {
    if remembered.len() >= MAX_REMEMBERED {
        remembered.clear();
    }
}

#[cfg(test)]
mod tests {
    use resident_base::CryptoHash;

    use super::*;

    /// Two threads; chains with even numbers are at home on the first.
    fn queue() -> (ServiceQueue<u32>, Instant) {
        (ServiceQueue::new(2), Instant::now())
    }

    fn subject(chain: u8, application: u8) -> Subject {
        let mut bytes = [0; 32];
        bytes[0] = chain;
        Subject {
            chain_id: ChainId(CryptoHash::from(bytes)),
            application_id: Some(ApplicationId::new(CryptoHash::of_bytes(&[application]))),
        }
    }

    fn taken(queue: &mut ServiceQueue<u32>, thread: usize, now: Instant) -> Option<u32> {
        queue.take(thread, now).map(|(_, job)| job)
    }

    #[test]
    fn subjects_take_turns_and_keep_their_own_order() {
        let (mut queue, now) = queue();
        for job in [10, 11, 12] {
            assert!(queue.add(subject(0, 1), job).is_none());
        }
        assert!(queue.add(subject(2, 2), 20).is_none());
        let mut order = Vec::new();
        while let Some(job) = taken(&mut queue, 0, now) {
            order.push(job);
            queue.end(0, now);
        }
        assert_eq!(order, [10, 20, 11, 12]);
        assert!(queue.is_empty());
    }

    #[test]
    fn neither_a_chain_nor_an_application_has_all_threads() {
        for other in [subject(0, 2), subject(3, 1)] {
            let (mut queue, now) = queue();
            queue.add(subject(0, 1), 1);
            assert_eq!(taken(&mut queue, 0, now), Some(1));
            queue.add(other, 2);
            queue.add(subject(5, 3), 3);
            // Long enough for the first thread to count as busy.
            let later = now + PATIENCE;
            assert_eq!(taken(&mut queue, 1, later), Some(3), "{other:?}");
            queue.end(1, later);
            assert_eq!(taken(&mut queue, 1, later), None);
            queue.end(0, now);
            let thread = usize::from(other.chain_id.0.as_bytes()[0] % 2);
            assert_eq!(taken(&mut queue, thread, later), Some(2));
        }
    }

    #[test]
    fn slow_applications_come_last_and_leave_a_thread() {
        let (mut queue, now) = queue();
        for application in [1, 2] {
            queue.add(subject(0, application), 0);
            assert_eq!(taken(&mut queue, 0, now), Some(0));
            queue.end(0, now + SLOW);
        }
        let later = now + SLOW;
        queue.add(subject(0, 1), 1);
        queue.add(subject(1, 2), 2);
        queue.add(subject(2, 3), 3);
        assert_eq!(taken(&mut queue, 0, later), Some(3), "it was not slow");
        queue.end(0, later);
        assert_eq!(taken(&mut queue, 0, later), Some(1));
        assert_eq!(taken(&mut queue, 1, later), None, "kept for others");
        queue.add(subject(3, 3), 4);
        assert_eq!(taken(&mut queue, 1, later), Some(4));
        queue.end(1, later);
        let much_later = later + SLOW_FOR;
        assert_eq!(taken(&mut queue, 1, much_later), Some(2), "it is forgotten");
    }

    #[test]
    fn a_subject_moves_when_its_thread_takes_long() {
        let (mut queue, now) = queue();
        queue.add(subject(0, 1), 1);
        assert_eq!(taken(&mut queue, 1, now), None, "it has another home");
        assert_eq!(taken(&mut queue, 0, now), Some(1));
        queue.add(subject(2, 2), 2);
        assert_eq!(taken(&mut queue, 1, now), None);
        let later = now + PATIENCE;
        assert_eq!(taken(&mut queue, 1, later), Some(2));
        queue.end(0, later);
        queue.end(1, later);
        queue.add(subject(2, 2), 3);
        assert_eq!(taken(&mut queue, 0, later), None, "it stays where it is");
        assert_eq!(taken(&mut queue, 1, later), Some(3));
    }

    #[test]
    fn whoever_asks_most_gives_way() {
        let (mut queue, _) = queue();
        let greedy = subject(0, 1);
        for job in 0..200 {
            assert!(queue.add(greedy, job).is_none());
        }
        assert_eq!(queue.add(greedy, 200), Some((greedy, 200)));
        let others = (1..=80).flat_map(|chain| (0..10).map(move |job| (subject(chain, 2), job)));
        for (other, job) in others {
            assert!(queue.add(other, job).is_none());
        }
        let last = subject(81, 2);
        assert_eq!(queue.add(last, 0), Some((greedy, 199)));
        assert_eq!(queue.add(last, 1), Some((greedy, 198)));
    }
}
