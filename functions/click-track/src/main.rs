//! `click-track` on AWS Lambda.

fn main() -> std::process::ExitCode {
    nexus_lambda::run_http::<nexus_click_track::ClickTrack, _>(nexus_platform_aws::engine)
}
