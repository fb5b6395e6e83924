//! What holds of every vendor of footage, whatever it says: each sentence of the port's contract, played against its
//! recordings. A vendor's tests name their [`Part`] and call [`suite!`](crate::footage::suite).

use nexus_core::effect::{Found, Outcome};
use nexus_engine::footage::{FootageBrief, FootageMaker, Looked, Progress, Used};
use nexus_kernel::FailureKind;

use super::trial::{House, from_picture};
use super::{Dialect, Maker};

/// What a vendor's recordings are called, and what they say.
pub(crate) struct Part {
    /// The model.
    pub(crate) model: &'static str,
    /// The setting that names it.
    pub(crate) model_setting: &'static str,
    /// What made a thing, as it is shown.
    pub(crate) engine: &'static str,
    /// The job of the recordings.
    pub(crate) job: &'static str,
    /// How it is ordered.
    pub(crate) submit: &'static str,
    /// How it is asked for.
    pub(crate) status: &'static str,
    /// How its output is fetched.
    pub(crate) output: &'static str,
    /// Answers to an order that leave open whether it was taken.
    pub(crate) unclear: &'static [&'static str],
    /// A job that is not over, and the seconds until it is asked for again.
    pub(crate) waiting: (&'static [&'static str], u32),
    /// A job that is ready.
    pub(crate) ready: &'static str,
    /// What it used, where the vendor tells.
    pub(crate) used: Option<Used>,
    /// Jobs that came to nothing, by which code, and whether another try may help.
    pub(crate) failed: &'static [(&'static str, &'static str, bool)],
    /// An output that is not there any more.
    pub(crate) expired: &'static str,
    /// What the model cannot make, and a word of the reason.
    pub(crate) impossible: fn() -> (FootageBrief, &'static str),
}

impl Part {
    async fn house<D: Dialect>(&self) -> (House, Maker<D>) {
        let house = House::with_key(D::VENDOR.name).await;
        let maker = Maker::new(house.parts.clone(), None, self.model).unwrap();
        (house, maker)
    }

    pub(crate) async fn settings_are_named<D: Dialect>(&self) {
        let house = House::with_key(D::VENDOR.name).await;
        let field = |base: Option<&str>, model: &str| {
            let made = Maker::<D>::new(house.parts.clone(), base.map(str::to_owned), model);
            made.err().map(|failure| failure.fields()[0].field.clone())
        };
        assert_eq!(field(None, self.model), None);
        assert_eq!(field(Some("not an address"), self.model).unwrap(), D::VENDOR.base_setting);
        assert_eq!(field(None, "of last year").as_deref(), Some(self.model_setting));
    }

    pub(crate) async fn is_submitted_polled_and_fetched<D: Dialect>(&self) {
        let (house, maker) = self.house::<D>().await;
        let vendor = D::VENDOR.name;
        assert_eq!((maker.name(), maker.engine().as_str()), (vendor, self.engine));
        house.answers(self.submit, vendor, "submit.ok");
        let submitted = maker.submit(&house.at, &from_picture()).await;
        assert_eq!(submitted.outcome, Outcome::Done { receipt: self.job.into(), url: None });
        let quoted = maker.quote(&from_picture()).unwrap().cost;
        assert_eq!(submitted.charge.map(|charge| charge.cost), Some(quoted));
        let (waiting, after_seconds) = self.waiting;
        for recording in waiting {
            house.answers(self.status, vendor, recording);
            let looked = maker.status(&house.at, self.job).await.unwrap();
            let progress = Progress::Waiting { after_seconds };
            assert_eq!(looked, Looked { progress, used: None }, "{recording}");
        }
        for _ in 0..2 {
            house.answers(self.status, vendor, self.ready);
            let looked = maker.status(&house.at, self.job).await.unwrap();
            assert_eq!(looked, Looked { progress: Progress::Ready, used: self.used });
        }
        house.answers(self.status, vendor, self.ready).answers(self.output, vendor, "fetch.ok");
        assert_eq!(maker.fetch(&house.at, self.job).await.unwrap(), "not really an mp4");
        house.is_played();
    }

    pub(crate) async fn lost_is_unknown<D: Dialect>(&self) {
        let (house, maker) = self.house::<D>().await;
        house.loses(self.submit);
        let lost = maker.submit(&house.at, &from_picture()).await.outcome;
        assert!(matches!(lost, Outcome::Unknown { .. }), "{lost:?}");
        for recording in self.unclear {
            house.answers(self.submit, D::VENDOR.name, recording);
            let unclear = maker.submit(&house.at, &from_picture()).await.outcome;
            assert!(matches!(unclear, Outcome::Unknown { .. }), "{recording}: {unclear:?}");
        }
        let found = maker.look_up(&house.at, &from_picture(), nexus_contract::START).await;
        assert!(matches!(found, Found::StillUnknown { .. }));
        house.is_played();
    }

    pub(crate) async fn impossible_is_not_asked_for<D: Dialect>(&self) {
        let (house, maker) = self.house::<D>().await;
        let (brief, word) = (self.impossible)();
        let refused = maker.submit(&house.at, &brief).await.outcome;
        assert!(matches!(&refused, Outcome::Refused { why } if why.contains(word)), "{refused:?}");
        house.is_played();
    }

    pub(crate) async fn failed_ends_the_wait<D: Dialect>(&self) {
        let (house, maker) = self.house::<D>().await;
        for (recording, expected, may_help) in self.failed {
            house.answers(self.status, D::VENDOR.name, recording);
            let told = maker.status(&house.at, self.job).await.unwrap();
            let Progress::Failed { code, again, .. } = told.progress else {
                panic!("{recording} is no failure")
            };
            assert_eq!((code.as_str(), again), (*expected, *may_help), "{recording}");
        }
        house.is_played();
    }

    pub(crate) async fn gone_is_asked_for_once_more<D: Dialect>(&self) {
        let (house, maker) = self.house::<D>().await;
        let vendor = D::VENDOR.name;
        for then in ["fetch.ok", "fetch.gone"] {
            for fetched in [self.expired, then] {
                house.answers(self.status, vendor, self.ready).answers(
                    self.output,
                    vendor,
                    fetched,
                );
            }
        }
        assert_eq!(maker.fetch(&house.at, self.job).await.unwrap(), "not really an mp4");
        let gone = maker.fetch(&house.at, self.job).await.unwrap_err();
        assert_eq!(gone.kind(), FailureKind::NotFound);
        house.answers(self.status, vendor, self.waiting.0[0]);
        let early = maker.fetch(&house.at, self.job).await.unwrap_err();
        assert_eq!(early.kind(), FailureKind::Conflict);
        house.answers(self.status, vendor, "status.unknown");
        let never = maker.fetch(&house.at, self.job).await.unwrap_err();
        assert_eq!(never.kind(), FailureKind::NotFound);
        house.is_played();
    }
}

/// The tests of a vendor's [`Part`]: `suite!(PART as AgentsApi)`.
macro_rules! suite {
    ($part:ident as $dialect:ty) => {
        #[tokio::test]
        async fn what_cannot_be_set_is_refused_by_the_name_of_its_setting() {
            $part.settings_are_named::<$dialect>().await;
        }

        #[tokio::test(start_paused = true)]
        async fn n29_footage_is_submitted_polled_and_fetched() {
            $part.is_submitted_polled_and_fetched::<$dialect>().await;
        }

        #[tokio::test(start_paused = true)]
        async fn n29_a_lost_submission_is_unknown_sent_once_and_left_to_a_person() {
            $part.lost_is_unknown::<$dialect>().await;
        }

        #[tokio::test(start_paused = true)]
        async fn n29_what_cannot_be_made_is_refused_without_asking() {
            $part.impossible_is_not_asked_for::<$dialect>().await;
        }

        #[tokio::test(start_paused = true)]
        async fn n29_a_failed_or_unknown_job_is_no_error_and_ends_the_wait() {
            $part.failed_ends_the_wait::<$dialect>().await;
        }

        #[tokio::test(start_paused = true)]
        async fn n29_an_output_that_is_gone_is_asked_for_once_more() {
            $part.gone_is_asked_for_once_more::<$dialect>().await;
        }
    };
}

pub(crate) use suite;
