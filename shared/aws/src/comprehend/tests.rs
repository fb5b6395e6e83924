use std::error::Error as _;

use nexus_kernel::Pii;
use serde_json::{Value, json};

use super::*;
use crate::replay::{answering, sent};

const ENGLISH: &str = "The coffee was cold and nobody cared.";
const SPANISH: &str = "El café estaba muy rico, volveremos.";

fn said(text: &str) -> Utterance {
    Utterance { text: Pii::new(text.to_owned()), hint: None }
}

/// In English, as somebody knows.
fn short(text: &str) -> Utterance {
    hinted(text, Language::En)
}

fn hinted(text: &str, hint: Language) -> Utterance {
    Utterance { hint: Some(hint), ..said(text) }
}

/// An answer about languages: index, code and score.
fn in_languages(found: &[(i32, &str, f64)]) -> String {
    let one = |(index, code, score): &(i32, &str, f64)| {
        json!({"Index": index, "Languages": [{"LanguageCode": "xx", "Score": 0.01},
            {"LanguageCode": code, "Score": score}]})
    };
    json!({"ResultList": found.iter().map(one).collect::<Vec<_>>(), "ErrorList": []}).to_string()
}

fn feels(index: i32, feeling: &str) -> Value {
    json!({"Index": index, "Sentiment": feeling, "SentimentScore":
        {"Positive": 0.9, "Negative": 0.05, "Neutral": 0.03, "Mixed": 0.02}})
}

fn feelings(found: &[Value], errors: &[Value]) -> String {
    json!({"ResultList": found, "ErrorList": errors}).to_string()
}

fn error(index: i32, code: &str) -> Value {
    json!({"Index": index, "ErrorCode": code, "ErrorMessage": "about the coffee"})
}

async fn judge(answers: &[&str], utterances: &[Utterance]) -> (Vec<Answer>, Vec<Value>) {
    let answers: Vec<_> = answers.iter().map(|answer| (200, *answer)).collect();
    let (config, client) = answering(1, &answers);
    let judged = ComprehendSentiment::new(&config).judge(utterances).await;
    let bodies = sent(&client).into_iter().map(|(_, _, body)| body.parse().unwrap());
    assert_eq!(judged.len(), utterances.len(), "one answer for each");
    (judged, bodies.collect())
}

/// An answer in a word.
fn told(answer: &Answer) -> String {
    match answer {
        Ok(judged) => format!("{:?} {} {:?}", judged.feeling, judged.language, judged.known),
        Err(Unjudged::Empty) => "empty".to_owned(),
        Err(Unjudged::Unsupported(language)) => format!("unsupported {language}"),
        Err(Unjudged::Failed(failure)) => format!("{:?}", failure.kind()),
    }
}

fn all_told(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(told).collect()
}

#[tokio::test]
async fn n32_languages_are_detected_and_each_is_judged_by_itself() {
    let languages = in_languages(&[(2, "pt", 0.9), (0, "es", 0.99), (1, "en", 0.98)]);
    let texts = [said(SPANISH), said(ENGLISH), said("O café estava muito bom, obrigado.")];
    let (answers, bodies) = judge(
        &[
            &languages,
            &feelings(&[feels(0, "NEGATIVE")], &[]),
            &feelings(&[feels(0, "POSITIVE")], &[]),
            &feelings(&[feels(0, "MIXED")], &[]),
        ],
        &texts,
    )
    .await;
    let expected = ["Positive es Detected", "Negative en Detected", "Mixed pt Detected"];
    assert_eq!(all_told(&answers), expected);
    let scores = answers[0].as_ref().unwrap().scores;
    assert_eq!(scores, Scores { positive: 0.9, negative: 0.05, neutral: 0.03, mixed: 0.02 });
    let portuguese = texts[2].text.reveal();
    let expected = [
        json!({"TextList": [SPANISH, ENGLISH, portuguese]}),
        json!({"TextList": [ENGLISH], "LanguageCode": "en"}),
        json!({"TextList": [SPANISH], "LanguageCode": "es"}),
        json!({"TextList": [portuguese], "LanguageCode": "pt"}),
    ];
    assert_eq!(bodies, expected, "N34: and nothing else");
}

#[tokio::test]
async fn n32_answers_are_matched_by_their_index_and_one_bad_text_spoils_no_other() {
    let texts: Vec<_> = ["one", "two", "three", "four", "five"].map(short).into();
    let answer = feelings(
        &[feels(3, "NEUTRAL"), feels(0, "POSITIVE"), feels(9, "MIXED"), feels(-1, "MIXED")],
        &[error(1, "TEXT_SIZE_LIMIT_EXCEEDED"), error(2, "INTERNAL_SERVER_ERROR")],
    );
    let (answers, _) = judge(&[&answer], &texts).await;
    let expected = [
        "Positive en Hinted",
        "Invalid",
        "Unavailable",
        "Neutral en Hinted",
        "Unavailable", // not answered at all
    ];
    assert_eq!(all_told(&answers), expected);
    let Err(Unjudged::Failed(failure)) = &answers[2] else { panic!("{answers:?}") };
    let cause = failure.source().unwrap().to_string();
    assert!(cause.contains("INTERNAL_SERVER_ERROR") && !cause.contains("coffee"), "{cause}");
}

#[tokio::test]
async fn n32_what_is_not_documented_is_no_answer() {
    let odd = |change: fn(&mut Value)| {
        let mut one = feels(0, "POSITIVE");
        change(&mut one);
        one
    };
    let cases = [
        odd(|one| one["Sentiment"] = json!("ECSTATIC")),
        odd(|one| one["SentimentScore"]["Mixed"] = json!(1.5)),
        odd(|one| one["SentimentScore"]["Mixed"] = json!("NaN")),
        odd(|one| one["SentimentScore"] = Value::Null),
        odd(|one| one["Index"] = Value::Null),
    ];
    for case in cases {
        let (answers, _) =
            judge(&[&feelings(std::slice::from_ref(&case), &[])], &[short("one")]).await;
        assert_eq!(all_told(&answers), ["Unavailable"], "{case}");
    }
    let twice = feelings(&[feels(0, "POSITIVE"), feels(0, "NEGATIVE")], &[]);
    let (answers, _) = judge(&[&twice], &[short("one")]).await;
    assert_eq!(all_told(&answers), ["Unavailable"]);
}

#[tokio::test]
async fn n32_a_short_text_has_the_language_that_the_caller_hints_at_and_is_never_guessed() {
    let texts = [
        hinted("¡Qué rico!", Language::Es),
        short("Yummy"),
        said("Genial"),
        said(" 👍 "),
        said(" \n "),
    ];
    let english = feelings(&[feels(1, "POSITIVE"), feels(0, "POSITIVE")], &[]);
    let spanish = feelings(&[feels(0, "POSITIVE")], &[]);
    let (answers, bodies) = judge(&[&english, &spanish], &texts).await;
    let expected = [
        "Positive es Hinted",
        "Positive en Hinted",
        "unsupported und",
        "Positive en Assumed",
        "empty",
    ];
    assert_eq!(all_told(&answers), expected);
    assert_eq!(bodies[0], json!({"TextList": ["Yummy", "👍"], "LanguageCode": "en"}));
    assert_eq!(bodies.len(), 2, "no language is asked for");
}

#[tokio::test]
async fn n32_an_unknown_language_is_named_and_never_guessed() {
    let languages = in_languages(&[(0, "tl", 0.9), (1, "en", 0.3), (2, "en", 0.5)]);
    let texts = [
        said("Ang sarap ng kape ninyo dito!"),
        said("asdf qwer zxcv asdf qwer zxcv"),
        hinted("mmmmm yum yum yum mmmmm", Language::Es),
    ];
    let spanish = feelings(&[feels(0, "POSITIVE")], &[]);
    let (answers, bodies) = judge(&[&languages, &spanish], &texts).await;
    assert_eq!(all_told(&answers), ["unsupported tl", "unsupported und", "Positive es Hinted"]);
    assert_eq!(bodies.len(), 2);
    // Should Comprehend stop to know one of ours, that is told as well.
    let (config, _) = answering(1, &[(400, r#"{"__type":"UnsupportedLanguageException"}"#)]);
    let answers = ComprehendSentiment::new(&config).judge(&[short("one")]).await;
    assert_eq!(all_told(&answers), ["unsupported en"]);
}

#[tokio::test]
async fn n32_what_is_too_long_is_cut_at_a_sentence_and_says_so() {
    let first = format!("{}.", "Muy rico ".repeat(300).trim_end());
    let long = format!("{first} {}.", "Ñam ".repeat(800).trim_end());
    let languages = in_languages(&[(0, "es", 0.99)]);
    let (answers, bodies) =
        judge(&[&languages, &feelings(&[feels(0, "POSITIVE")], &[])], &[said(&long)]).await;
    assert!(answers[0].as_ref().unwrap().cut);
    assert_eq!(bodies[1], json!({"TextList": [first], "LanguageCode": "es"}));
    assert_eq!(bodies[0], json!({"TextList": [first]}));
    let (answers, _) = judge(&[&feelings(&[feels(0, "NEUTRAL")], &[])], &[short("short")]).await;
    assert!(!answers[0].as_ref().unwrap().cut);
}

#[tokio::test]
async fn n32_many_texts_go_in_batches_of_25() {
    let texts: Vec<_> = (0..60).map(|n| short(&format!("text {n}"))).collect();
    let batch = |count: i32| {
        // The last comes first.
        let found: Vec<_> = (0..count).rev().map(|i| feels(i, "NEUTRAL")).collect();
        feelings(&found, &[])
    };
    let (answers, bodies) = judge(&[&batch(25), &batch(25), &batch(10)], &texts).await;
    assert!(answers.iter().all(Result::is_ok));
    let sizes: Vec<_> = bodies.iter().map(|b| b["TextList"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [25, 25, 10]);
    let (answers, bodies) = judge(&[], &[]).await;
    assert_eq!((answers.len(), bodies.len()), (0, 0), "nothing is asked about nothing");
}

#[tokio::test]
async fn a_call_that_fails_ends_the_work_and_keeps_what_was_done() {
    let texts: Vec<_> = (0..60).map(|n| short(&format!("text {n}"))).collect();
    let first = feelings(&(0..25).map(|i| feels(i, "NEUTRAL")).collect::<Vec<_>>(), &[]);
    let throttled = r#"{"__type":"TooManyRequestsException","Message":"text 30"}"#;
    let (config, client) = answering(1, &[(200, &first), (400, throttled)]);
    let answers = ComprehendSentiment::new(&config).judge(&texts).await;
    let told = all_told(&answers);
    assert!(told[..25].iter().all(|t| t == "Neutral en Hinted"), "{told:?}");
    assert!(told[25..].iter().all(|t| t == "Throttled"), "{told:?}");
    assert_eq!(sent(&client).len(), 2);
}

#[tokio::test]
async fn errors_are_told_apart_by_their_type() {
    let cases = [
        (400, "ThrottlingException", "Throttled"),
        (400, "TooManyRequestsException", "Throttled"),
        (400, "TextSizeLimitExceededException", "Invalid"),
        (400, "BatchSizeLimitExceededException", "Bug"),
        (400, "InvalidRequestException", "Bug"),
        (400, "AccessDeniedException", "Bug"),
        (500, "InternalServerException", "Unavailable"),
    ];
    for (status, code, expected) in cases {
        // About our account, the service's sentence is told; it cannot quote a text.
        let about_us = code == "AccessDeniedException";
        let sentence = if about_us { "no right to comprehend:…" } else { ENGLISH };
        let error = json!({"__type": code, "Message": sentence}).to_string();
        for text in [said(ENGLISH), short("short")] {
            let (config, _) = answering(1, &[(status, &error)]);
            let answers = ComprehendSentiment::new(&config).judge(&[text]).await;
            assert_eq!(all_told(&answers), [expected], "{code}");
            let printed = format!("{answers:?}");
            assert!(!printed.contains("nobody cared"), "{printed}");
            assert_eq!(printed.contains("no right to"), about_us, "{printed}");
        }
    }
    for answers in [&[(200, "no json")][..], &[]] {
        let (config, _) = answering(1, answers);
        let answers = ComprehendSentiment::new(&config).judge(&[said(ENGLISH)]).await;
        assert_eq!(all_told(&answers), ["Unavailable"]);
    }
    let refused = json!({"ResultList": [], "ErrorList": [error(0, "INTERNAL")]}).to_string();
    let (answers, bodies) = judge(&[&refused], &[said(ENGLISH)]).await;
    assert_eq!((all_told(&answers), bodies.len()), (vec!["Unavailable".to_owned()], 1));
}
