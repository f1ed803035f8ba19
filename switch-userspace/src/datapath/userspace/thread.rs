//! A thread that waits for descriptors and can be told to end.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use crate::sys::socket;

/// A running thread. It ends, and is waited for, when this is dropped.
#[derive(Debug)]
pub(in crate::datapath) struct StoppableThread {
    is_stopped: Arc<AtomicBool>,
    wake: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

/// The thread's view of its end.
#[derive(Debug)]
pub(in crate::datapath) struct Stop {
    is_stopped: Arc<AtomicBool>,
    woken: PipeReader,
}

impl StoppableThread {
    /// Starts a thread called `name`; `work` has to return soon after [`Stop::is_requested`].
    ///
    /// # Errors
    /// No more threads or descriptors.
    pub(in crate::datapath) fn start(
        name: String,
        work: impl FnOnce(Stop) + Send + 'static,
    ) -> io::Result<Self> {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (woken, wake) = io::pipe()?;
        let stop = Stop { is_stopped: Arc::clone(&is_stopped), woken };
        let thread = thread::Builder::new().name(name).spawn(move || work(stop))?;
        Ok(Self { is_stopped, wake: Some(wake), thread: Some(thread) })
    }
}

impl Drop for StoppableThread {
    fn drop(&mut self) {
        self.is_stopped.store(true, Relaxed);
        drop(self.wake.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the datapath panicked");
        }
    }
}

impl Stop {
    /// Whether the thread has to end.
    pub(in crate::datapath) fn is_requested(&self) -> bool {
        self.is_stopped.load(Relaxed)
    }

    /// Waits until `file` can be read or failed, or the thread has to end. Says whether it is the file.
    ///
    /// # Errors
    /// The descriptor cannot be waited for.
    pub(in crate::datapath) fn wait_with(&self, file: BorrowedFd<'_>) -> io::Result<bool> {
        let [is_ready, _] = socket::wait_first([file, self.woken.as_fd()], None)?;
        Ok(is_ready)
    }
}
