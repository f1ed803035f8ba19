//! The control thread: one OS thread owns the whole control plane, and others hand it work.
//!
//! Work is done in the order in which it was handed in, one piece at a time, so nothing that the thread owns needs a lock.

use std::{io, thread, time::Instant};

use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender};
use tokio::sync::oneshot;

/// What a control thread can own.
pub trait Owned: 'static {
    /// Does what is due at `now` and says when it wants to be called again; `None`: not before something else happens.
    fn tick(&mut self, now: Instant) -> Option<Instant>;
}

/// The control thread is gone: it has panicked or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the control thread has ended")]
pub struct Gone;

type Work<C> = Box<dyn FnOnce(&mut C) + Send>;

/// Hands work to the control thread. The thread ends when all handles are gone.
pub struct Handle<C> {
    work: Sender<Work<C>>,
}

impl<C> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Self { work: self.work.clone() }
    }
}

impl<C: Owned> Handle<C> {
    /// Starts the thread; `make` runs on it and makes what it owns.
    ///
    /// # Errors
    /// What `make` returned, or that no thread could be started.
    pub fn spawn<E>(make: impl FnOnce() -> Result<C, E> + Send + 'static) -> Result<Self, E>
    where
        E: From<io::Error> + From<Gone> + Send + 'static,
    {
        let (work, queue) = channel::unbounded();
        let (made, wait) = channel::bounded(1);
        thread::Builder::new().name(String::from("control")).spawn(move || match make() {
            Ok(owned) => {
                // The starter waits for this message, or has died; then the queue is closed too.
                let _starter_gone = made.send(Ok(()));
                serve(owned, &queue);
            }
            Err(error) => {
                let _starter_gone = made.send(Err(error));
            }
        })?;
        match wait.recv() {
            Ok(Ok(())) => Ok(Self { work }),
            Ok(Err(error)) => Err(error),
            Err(channel::RecvError) => Err(Gone.into()),
        }
    }

    /// Does `work` on the control thread and waits for its result without blocking the caller's thread.
    ///
    /// # Errors
    /// The thread is gone.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut C) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (answer, wait) = oneshot::channel();
        self.post(move |owned| {
            // Whoever asked may have left meanwhile; the work is done all the same.
            let _left = answer.send(work(owned));
        })?;
        wait.await.map_err(|_| Gone)
    }

    /// Does `work` on the control thread some time later.
    ///
    /// # Errors
    /// The thread is gone.
    pub fn post(&self, work: impl FnOnce(&mut C) + Send + 'static) -> Result<(), Gone> {
        self.work.send(Box::new(work)).map_err(|_| Gone)
    }
}

fn serve<C: Owned>(mut owned: C, queue: &Receiver<Work<C>>) {
    loop {
        let next = match owned.tick(Instant::now()) {
            Some(due) => queue.recv_deadline(due),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(work) => work(&mut owned),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum TestError {
        #[error(transparent)]
        Io(#[from] io::Error),
        #[error(transparent)]
        Gone(#[from] Gone),
        #[error("refused")]
        Refused,
    }

    struct Count {
        done: u32,
        ticks: Sender<Instant>,
        period: Option<Duration>,
    }

    impl Owned for Count {
        fn tick(&mut self, now: Instant) -> Option<Instant> {
            let _test_over = self.ticks.send(now);
            self.period.map(|period| now + period)
        }
    }

    fn count(period: Option<Duration>) -> (Handle<Count>, Receiver<Instant>) {
        let (ticks, seen) = channel::unbounded();
        let handle =
            Handle::spawn::<TestError>(move || Ok(Count { done: 0, ticks, period })).expect("a thread");
        (handle, seen)
    }

    #[tokio::test]
    async fn work_is_done_in_order_and_answered() {
        let (handle, _seen) = count(None);
        for number in 1..=100 {
            let answer = handle.run(|count| {
                count.done += 1;
                count.done
            });
            assert_eq!(answer.await, Ok(number));
        }
    }

    #[test]
    fn a_deadline_wakes_the_thread_without_work() {
        let (_handle, seen) = count(Some(Duration::from_millis(1)));
        for _ in 0..3 {
            seen.recv_timeout(Duration::from_secs(10)).expect("a tick");
        }
    }

    #[test]
    fn a_failed_start_is_told_to_the_starter() {
        let started = Handle::<Count>::spawn(|| Err(TestError::Refused));
        assert!(matches!(started.err(), Some(TestError::Refused)));
    }

    #[tokio::test]
    async fn a_dead_thread_is_told_to_whoever_asks() {
        let (handle, _seen) = count(None);
        let died = handle.run(|_| panic!("on purpose")).await;
        assert_eq!(died, Err::<(), _>(Gone));
        assert_eq!(handle.run(|count| count.done).await, Err(Gone));
    }
}
