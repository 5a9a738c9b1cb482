//! stub
#[derive(Debug)]
pub enum ListenEvent {
    Notice(String),
    Gap,
}
pub async fn listen(
    _: &crate::config::ListenSource,
    _on: impl Fn(ListenEvent) + Send + Sync,
    stop: tokio_util::sync::CancellationToken,
) {
    stop.cancelled().await
}
