use std::sync::LazyLock;

use nexus_engine::sentiment::Label;
use nexus_kernel::Pii;
use proptest::prelude::*;

use super::trial::{measure, sentences, told};
use nexus_engine::sentiment::Known;
use nexus_kernel::Language;

use super::*;

fn said(text: &str) -> Utterance {
    Utterance { text: Pii::new(text.to_owned()), hint: None }
}

fn hinted(text: &str, hint: Language) -> Utterance {
    Utterance { hint: Some(hint), ..said(text) }
}

async fn installed() -> Option<Apertium> {
    #[expect(clippy::disallowed_methods, reason = "a test's main is the test harness")]
    let path = std::env::var("PATH").unwrap();
    Apertium::locate_back(None, &path).await
}

#[tokio::test]
async fn n24_every_text_has_one_answer_in_order_and_no_text_changes_another() {
    let lexicon = Lexicon::new(None);
    let texts = [
        "I love this coffee, it is the best in town.",
        "",
        "Das ist der beste Kaffee, den ich in diesem Jahr getrunken habe.",
        "This is a terrible product and I hate it.",
        " \n\t ",
        "Un café delicioso que volveré a comprar mañana.",
    ];
    let answers = lexicon.judge(&texts.map(said)).await;
    let told = |answer: &Result<Judged, Unjudged>| match answer {
        Ok(judged) => format!("{} {:?}", judged.language, judged.feeling),
        Err(unjudged) => unjudged.to_string(),
    };
    let told: Vec<String> = answers.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "en Positive",
            "there is nothing to judge",
            "the sentiment of texts in `de` cannot be told",
            "en Negative",
            "there is nothing to judge",
            "the sentiment of texts in `es` cannot be told",
        ]
    );
    assert_eq!(lexicon.judge(&[]).await.len(), 0);
}

#[tokio::test]
async fn n25_a_language_it_does_not_know_is_named_and_never_guessed() {
    let lexicon = Lexicon::new(None);
    for (text, language) in [
        ("これは今年飲んだ中で一番おいしいコーヒーです。", "ja"),
        ("Это лучший кофе, который я пил в этом году.", "ru"),
        ("좋아요", "ko"),
        ("C'est le meilleur café que j'ai bu cette année, merci beaucoup.", "fr"),
    ] {
        let [answer] = <[_; 1]>::try_from(lexicon.judge(&[said(text)]).await).unwrap();
        assert!(
            matches!(&answer, Err(Unjudged::Unsupported(told)) if told == language),
            "{text}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn n25_a_short_text_goes_by_its_hint_and_says_so() {
    let lexicon = Lexicon::new(None);
    let texts = [
        said("Love it"),
        hinted("Super", Language::En),
        hinted("Genial", Language::Es),
        said("Me encanta"),
        said("😍"),
    ];
    let answers = lexicon.judge(&texts).await;
    let known = |n: usize| answers[n].as_ref().map(|judged| (judged.known, judged.feeling)).ok();
    assert_eq!(known(0), Some((Known::Assumed, Feeling::Positive)));
    assert_eq!(known(1), Some((Known::Hinted, Feeling::Positive)));
    assert!(matches!(&answers[2], Err(Unjudged::Unsupported(told)) if told == "es"));
    assert!(matches!(&answers[3], Err(Unjudged::Unsupported(_))), "not taken for English");
    assert_eq!(known(4), Some((Known::Assumed, Feeling::Positive)));
}

#[tokio::test]
async fn n24_where_only_the_beginning_was_judged_it_says_so() {
    let lexicon = Lexicon::new(None);
    let long = "I love this wonderful coffee. ".repeat(400);
    let answers = lexicon.judge(&[said(&long), said("I love this wonderful coffee.")]).await;
    let cut: Vec<bool> = answers.iter().map(|answer| answer.as_ref().unwrap().cut).collect();
    assert_eq!(cut, [true, false]);
}

#[tokio::test]
async fn n24_spanish_is_judged_through_a_translator_and_names_it() {
    // A stand-in that gives back what it is given: the words are English, so the way is what is tried.
    let fakes = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fakes");
    #[expect(clippy::disallowed_methods, reason = "a test's main is the test harness")]
    let path = std::env::var("PATH").unwrap();
    let apertium = Apertium::locate_back(Some(fakes.join("translates_back")), &path).await.unwrap();
    let lexicon = Lexicon::new(Some(apertium));
    let text = "El servicio fue muy rápido y todo llegó a tiempo para la fiesta.";
    let [answer] = <[_; 1]>::try_from(lexicon.judge(&[said(text)]).await).unwrap();
    let judged = answer.unwrap();
    assert_eq!((judged.language.as_str(), judged.feeling), ("es", Feeling::Positive));
    assert_eq!(judged.via.as_deref(), Some("apertium 9.8"));
    let verdict = nexus_engine::sentiment::Verdict::of(
        Ok(judged),
        &lexicon.engine(),
        nexus_kernel::Timestamp::UNIX_EPOCH,
    );
    assert_eq!(verdict.unwrap().engine, "vader 3.3.2 (lexicon) via apertium 9.8");
}

#[tokio::test]
async fn a_translator_that_fails_fails_its_own_texts_alone() {
    let fakes = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fakes");
    #[expect(clippy::disallowed_methods, reason = "a test's main is the test harness")]
    let path = std::env::var("PATH").unwrap();
    let apertium =
        Apertium::locate_back(Some(fakes.join("translates_back_badly")), &path).await.unwrap();
    let lexicon = Lexicon::new(Some(apertium));
    let spanish = "El servicio fue muy rápido y todo llegó a tiempo para la fiesta.";
    let answers = lexicon.judge(&[said(spanish), said("I love this wonderful coffee.")]).await;
    assert!(matches!(&answers[0], Err(Unjudged::Failed(_))), "{answers:?}");
    assert!(answers[1].is_ok());
}

#[test]
fn the_sentences_are_sixty_a_language_with_fifteen_of_each_label_and_none_twice() {
    let all = sentences();
    assert_eq!(all.len(), 120);
    for language in ["en", "es"] {
        for label in [Label::Positive, Label::Negative, Label::Neutral, Label::Mixed] {
            let count = all.iter().filter(|s| s.language == language && s.label == label).count();
            assert_eq!(count, 15, "{language} {}", label.name());
        }
    }
    let texts: std::collections::BTreeSet<&str> = all.iter().map(|s| s.text).collect();
    assert_eq!(texts.len(), 120);
}

const README: &str = include_str!("../../../../README.md");

#[tokio::test]
async fn n25_the_readme_tells_what_is_measured_in_english() {
    let told = told("English", &measure(&Lexicon::new(None), "en").await);
    assert!(README.contains(&told), "the README has to say:\n\n{told}");
}

/// By the translator where it is installed, in the version that was measured.
#[tokio::test]
async fn n25_the_readme_tells_what_is_measured_in_spanish() {
    let without = told("Spanish", &measure(&Lexicon::new(None), "es").await);
    assert!(without.contains("0 of 60 right"), "never a guess: {without}");
    let Some(apertium) = installed().await.filter(|a| a.engine() == "apertium 3.8.3") else {
        #[expect(clippy::print_stderr, reason = "a test that could not be made says so")]
        {
            eprintln!("apertium 3.8.3 is not installed here: Spanish was not measured");
        }
        return;
    };
    let told = told("Spanish", &measure(&Lexicon::new(Some(apertium)), "es").await);
    assert!(README.contains(&told), "the README has to say:\n\n{told}");
}

/// The word list is read once.
static ENGLISH: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(None));

proptest! {
    #[test]
    fn n24_no_text_makes_it_panic_and_scores_are_shares(text in ".{0,200}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for answer in runtime.block_on(ENGLISH.judge(&[said(&text), hinted(&text, Language::En)])) {
            let Ok(judged) = answer else { continue };
            let Scores { positive, negative, neutral, mixed } = judged.scores;
            for score in [positive, negative, neutral, mixed] {
                prop_assert!((0.0..=1.0).contains(&score), "{text:?}: {:?}", judged.scores);
            }
        }
    }
}
