//! What must run for as long as the server does: each task and thread is watched by the way it is started, and the
//! first that ends or panics before it was told to is reported.
//!
//! Must not know what any of them does, nor what follows from the end of one.

use std::thread;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

/// The workers of one server.
#[derive(Debug, Default)]
pub struct Workers {
    tasks: TaskTracker,
    fallen: watch::Sender<Option<Fallen>>,
}

/// A worker that is not there any more although it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {how}: this server cannot go on without it and has to be started again", how = self.how())]
pub struct Fallen {
    pub name: &'static str,
    pub panicked: bool,
}

/// Goes wherever a worker goes, and is dropped with it.
#[derive(Debug)]
pub struct Watched {
    name: &'static str,
    stop: CancellationToken,
    fallen: watch::Sender<Option<Fallen>>,
}

impl Workers {
    /// Starts a task that may end only after `stop`, which it is given.
    pub fn spawn<W>(&self, name: &'static str, stop: &CancellationToken, work: impl FnOnce(CancellationToken) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (watched, work) = (self.watch(name, stop), work(stop.clone()));
        self.tasks.spawn(async move {
            // Held here, so that it is dropped however the work ends.
            let _watched = watched;
            work.await;
        });
    }

    /// Starts a task that comes to its end by itself.
    pub fn spawn_errand(&self, errand: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(errand);
    }

    /// For a worker that is started elsewhere, such as a thread: to be held by it for all of its life.
    pub fn watch(&self, name: &'static str, stop: &CancellationToken) -> Watched {
        Watched { name, stop: stop.clone(), fallen: self.fallen.clone() }
    }

    /// Waits for a worker that is not there any more although it should be.
    pub async fn fallen(&self) -> Fallen {
        let mut fallen = self.fallen.subscribe();
        // The sender is here.
        match fallen.wait_for(Option::is_some).await.ok().and_then(|fallen| *fallen) {
            Some(fallen) => fallen,
            None => std::future::pending().await,
        }
    }

    /// Waits until all tasks have ended, after they were told to.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Fallen {
    fn how(self) -> &'static str {
        if self.panicked { "has panicked" } else { "has ended" }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let panicked = thread::panicking();
        if self.stop.is_cancelled() && !panicked {
            return;
        }
        let fallen = Fallen { name: self.name, panicked };
        error!("{fallen}");
        // The first is what matters: others may fall because of it.
        self.fallen.send_if_modified(|first| first.is_none() && first.replace(fallen).is_none());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_panics_is_reported_by_name() {
        let (workers, stop) = (Workers::default(), CancellationToken::new());
        workers.spawn("the quiet one", &stop, |stop| async move { stop.cancelled().await });
        workers.spawn("the unlucky one", &stop, |_| async { panic!("on purpose") });
        assert_eq!(workers.fallen().await, Fallen { name: "the unlucky one", panicked: true });
        assert!(workers.fallen().await.to_string().starts_with("the unlucky one has panicked"));
    }

    #[tokio::test]
    async fn a_worker_that_just_ends_is_reported_and_only_the_first_of_several() {
        let (workers, stop) = (Workers::default(), CancellationToken::new());
        workers.spawn("first", &stop, |_| async {});
        let first = workers.fallen().await;
        workers.spawn("second", &stop, |_| async {});
        workers.ended().await;
        assert_eq!((first, workers.fallen().await), (first, Fallen { name: "first", panicked: false }));
    }

    #[tokio::test]
    async fn a_thread_that_panics_is_reported() {
        let (workers, stop) = (Workers::default(), CancellationToken::new());
        let watched = workers.watch("the thread", &stop);
        let thread = thread::spawn(move || {
            let _watched = watched;
            panic!("on purpose");
        });
        assert_eq!(workers.fallen().await, Fallen { name: "the thread", panicked: true });
        thread.join().unwrap_err();
    }

    #[tokio::test]
    async fn who_ends_when_told_to_and_who_runs_an_errand_is_not_reported() {
        let (workers, stop) = (Workers::default(), CancellationToken::new());
        workers.spawn("the obedient one", &stop, |stop| async move { stop.cancelled().await });
        workers.spawn_errand(async {});
        let thread = workers.watch("the thread", &stop);
        stop.cancel();
        drop(thread);
        workers.ended().await;
        tokio::select! {
            biased;
            fallen = workers.fallen() => panic!("{fallen:?}"),
            () = async {} => {}
        }
    }
}
