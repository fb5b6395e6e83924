//! The inbox, products' pages, and people whose data may only be kept.

use std::collections::BTreeSet;

use std::sync::Arc;

use jiff::SignedDuration;
use nexus_contract::{Fault, Faults, Flaky};
use nexus_core::queues::QueueAddress;
use nexus_core::{Product, RecordKind, Scope, Table};
use nexus_engine::hops::ToJudge;
use nexus_engine::inquiries::{
    Asked, Inquiry, InquiryState, Page, Received, Salts, page_code, receive, restricted,
};
use nexus_engine::{EnginePlatform, Hop};
use nexus_kernel::Pii;
use nexus_testkit::{MemoryPlatform, build, people};
use serde_json::{Value, json};

use crate::api::{Api, ada, scope};

/// Somebody asks on the page of the tenant's first product.
pub(crate) async fn ask(api: &Api, scope: &Scope, email: &str, message: &str) -> Inquiry {
    let platform = &api.platform;
    let like = build::product(build::product_id(1), "Loaf", platform.now());
    let product = match platform.load(scope, &like).await {
        Some(stands) => stands,
        None => {
            platform.put(scope, &like).await;
            like
        }
    };
    let page = Page { scope: *scope, code: page_code(scope, product.id), product, business: None };
    let pii = |text: &str| Pii::new(text.to_owned());
    let asked =
        Asked { name: pii("Grace"), email: pii(email), message: pii(message), agreed: true };
    let ambient = platform.ambient();
    let salts = Salts::new(platform.vault(nexus_engine::platform::Access::Write), ambient.clone());
    let asked = asked.checked().unwrap();
    let source = salts.source(None).await.unwrap();
    let mark = salts.question(&page, &asked).await.unwrap();
    let sender = platform.sender(Hop::Sentiment, QueueAddress("sentiment".into()));
    let (table, marks) = (&platform.table, (&source, &mark));
    let by = (&ambient, "trace");
    let received = receive(table, &sender, by, &page, marks, (asked, None)).await;
    let Ok(Received::Kept(id)) = received else { panic!("{received:?}") };
    let found = nexus_engine::inquiries::find(table, scope, id, platform.now()).await;
    found.unwrap().record
}

fn at(inquiry: &Inquiry) -> String {
    format!("/v1/inquiries/{}", inquiry.id)
}

async fn listed(api: &Api, query: &str) -> Value {
    let answer = api.get(&format!("/v1/inquiries{query}")).by(&ada()).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn messages(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|i| i["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn inquiries_stand_newest_first_by_state_page_by_page() {
    let api = Api::new();
    let mut asked = Vec::new();
    for number in 0..5 {
        api.platform.advance(SignedDuration::from_mins(1));
        asked.push(ask(&api, &scope(), "grace@example.org", &format!("Question {number}?")).await);
    }
    let first = listed(&api, "?limit=2").await;
    assert_eq!(messages(&first), ["Question 4?", "Question 3?"]);
    let shown = &first["items"][0];
    assert_eq!((&shown["name"], &shown["email"]), (&json!("Grace"), &json!("grace@example.org")));
    assert_eq!((&shown["state"], &shown["restricted"]), (&json!("new"), &json!(false)));
    assert_eq!(shown["product"], build::product_id(1).to_string());
    let after = first["next"].as_str().unwrap();
    let rest = listed(&api, &format!("?after={after}")).await;
    assert_eq!(messages(&rest), ["Question 2?", "Question 1?", "Question 0?"]);

    let settle = api.post(&format!("{}/state", at(&asked[1])), json!({ "state": "answered" }));
    assert_eq!(settle.by(&ada()).send().await.json()["state"], "answered");
    assert_eq!(messages(&listed(&api, "?state=answered").await), ["Question 1?"]);
    assert_eq!(messages(&listed(&api, "?state=new").await).len(), 4);
    assert_eq!(messages(&listed(&api, "").await).len(), 4, "the answered one is done");
    api.get("/v1/inquiries?state=lost").by(&ada()).send().await.refused(422, &["state"]);
    let again = api.post(&format!("{}/state", at(&asked[1])), json!({ "state": "new" }));
    again.by(&ada()).send().await.refused(422, &["state"]);
}

#[tokio::test]
async fn somebody_is_put_at_an_inquiry_and_notes_what_they_did_once() {
    let api = Api::new();
    let inquiry = ask(&api, &scope(), "grace@example.org", "Is it vegan?").await;
    let operator = people::operator(people::tenant(1));
    let assign = api.post(&format!("{}/assign", at(&inquiry)), json!({ "assignee": " Bob " }));
    let shown = assign.by(&operator).send().await.json();
    assert_eq!((&shown["assignee"], &shown["state"]), (&json!("Bob"), &json!("open")));
    for wrong in ["", "a\nb", &"x".repeat(81)] {
        let call = api.post(&format!("{}/assign", at(&inquiry)), json!({ "assignee": wrong }));
        call.by(&operator).send().await.refused(422, &["assignee"]);
    }
    let note = |text: &str| api.post(&format!("{}/notes", at(&inquiry)), json!({ "text": text }));
    for _ in 0..2 {
        let answer = note("Called back.\nShe was glad.").by(&operator).key("note-1").send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    note("").by(&operator).send().await.refused(422, &["text"]);
    note(&"x".repeat(1_001)).by(&operator).send().await.refused(422, &["text"]);
    let shown = api.get(&at(&inquiry)).by(&operator).send().await.json();
    let notes = shown["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        (&notes[0]["text"], &notes[0]["by"]),
        (&json!("Called back.\nShe was glad."), &json!("usr-operator"))
    );
    let nobody = api.post(&format!("{}/assign", at(&inquiry)), json!({ "assignee": null }));
    let shown = nobody.by(&operator).send().await.json();
    assert_eq!((&shown["assignee"], &shown["state"]), (&Value::Null, &json!("open")));
}

#[tokio::test]
async fn notes_are_bounded() {
    let api = Api::new();
    let mut inquiry = ask(&api, &scope(), "grace@example.org", "Is it vegan?").await;
    let longest = "ñ".repeat(1_000);
    for number in 0..50_u32 {
        inquiry.notes.push(nexus_engine::inquiries::InquiryNote {
            id: nexus_engine::inquiries::InquiryNoteId::derived(&[&number.to_string()]),
            at: api.platform.now(),
            by: "usr".into(),
            text: Pii::new(longest.clone()),
        });
    }
    api.platform.put(&scope(), &inquiry).await;
    let call = api.post(&format!("{}/notes", at(&inquiry)), json!({ "text": "One more." }));
    call.by(&ada()).send().await.refused(409, &[]);
}

#[tokio::test]
async fn n48_inquiries_and_restrictions_of_another_tenant_are_missing() {
    let api = Api::new();
    let inquiry = ask(&api, &scope(), "grace@example.org", "Is it vegan?").await;
    let restrict = api.post("/v1/restrictions", json!({ "email": "grace@example.org" }));
    let restriction = restrict.by(&ada()).send().await.json()["id"].as_str().unwrap().to_owned();
    let before = api.platform.rows().await;
    let stranger = people::approver(people::tenant(2));
    for list in ["/v1/inquiries", "/v1/restrictions"] {
        let shown = api.get(list).by(&stranger).send().await.json();
        assert_eq!(shown, json!({ "items": [] }), "{list}");
    }
    let own = listed(&api, "?limit=1").await;
    assert_eq!(own["items"][0]["restricted"], true);
    api.get(&at(&inquiry)).by(&stranger).send().await.refused(404, &[]);
    for (deed, body) in [
        ("assign", json!({ "assignee": "Eve" })),
        ("state", json!({ "state": "closed" })),
        ("notes", json!({ "text": "Mine." })),
    ] {
        let call = api.post(&format!("{}/{deed}", at(&inquiry)), body);
        call.by(&stranger).send().await.refused(404, &[]);
    }
    let lift = api.delete(&format!("/v1/restrictions/{restriction}"));
    lift.by(&stranger).send().await.refused(404, &[]);
    assert_eq!(api.platform.rows().await, before);
    assert!(
        !restricted(&api.platform.table, &people::scope(people::tenant(2)), &inquiry.email)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn n69_a_restricted_persons_inquiry_is_kept_shown_and_waits_until_it_is_lifted() {
    let api = Api::new();
    let before = ask(&api, &scope(), "Grace@Example.org", "Before?").await;
    let sent = |api: &Api| -> Vec<ToJudge> {
        api.platform.letters(Hop::Sentiment).into_iter().map(|(_, message)| message).collect()
    };
    assert_eq!(sent(&api), [ToJudge::Inquiry(before.id)]);

    let operator = people::operator(people::tenant(1));
    let body = json!({ "email": " grace@EXAMPLE.org " });
    api.post("/v1/restrictions", body.clone()).by(&operator).send().await.refused(403, &[]);
    let wrong = api.post("/v1/restrictions", json!({ "email": "grace" })).by(&ada()).send().await;
    wrong.refused(422, &["email"]);
    let first = api.post("/v1/restrictions", body.clone()).by(&ada()).send().await;
    api.platform.advance(SignedDuration::from_mins(1));
    let second = api.post("/v1/restrictions", body).by(&ada()).send().await;
    assert_eq!((first.status, first.json()), (201, second.json()), "twice is once");
    let restriction = format!("/v1/restrictions/{}", first.json()["id"].as_str().unwrap());

    let waits = ask(&api, &scope(), "grace@example.org", "During?").await;
    let other = ask(&api, &scope(), "ada@example.org", "Somebody else?").await;
    let expected = [ToJudge::Inquiry(before.id), ToJudge::Inquiry(other.id)];
    assert_eq!(sent(&api), expected, "what a restricted person asks goes to nobody");
    assert!(restricted(&api.platform.table, &scope(), &waits.email).await.unwrap());
    let shown = api.get(&at(&waits)).by(&operator).send().await.json();
    assert_eq!((&shown["restricted"], &shown["sentiment"]), (&json!(true), &Value::Null));
    let listed = api.get("/v1/restrictions").by(&operator).send().await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);

    api.delete(&restriction).by(&operator).send().await.refused(403, &[]);
    let lifted = api.delete(&restriction).by(&ada()).send().await;
    // The one from before was not judged either: a worker that met the restriction let it go.
    assert_eq!((lifted.status, lifted.json()), (200, json!({ "passed_on": 2, "done": true })));
    let passed = sent(&api)[2..].to_vec();
    assert!(
        passed.contains(&ToJudge::Inquiry(waits.id))
            && passed.contains(&ToJudge::Inquiry(before.id))
    );
    assert!(!restricted(&api.platform.table, &scope(), &waits.email).await.unwrap());
    api.delete(&restriction).by(&ada()).send().await.refused(404, &[]);
    assert_eq!(api.get(&at(&waits)).by(&ada()).send().await.json()["restricted"], false);
}

#[tokio::test]
async fn n69_a_lifting_that_dies_anywhere_is_ended_by_lifting_again() {
    let mut at = 0;
    loop {
        let mut over = true;
        for how in [Fault::Before, Fault::After] {
            let faults = Faults::none();
            let wrapped = faults.clone();
            let platform = MemoryPlatform::new()
                .with_table(move |inner| Arc::new(Flaky::<dyn Table>::new(inner, wrapped)));
            let api = Api::on(platform);
            let body = json!({ "email": "grace@example.org" });
            let made = api.post("/v1/restrictions", body).by(&ada()).send().await.json();
            let waits = ask(&api, &scope(), "grace@example.org", "During?").await;
            let path = format!("/v1/restrictions/{}", made["id"].as_str().unwrap());

            let begun = faults.calls();
            faults.crash_in(at, how);
            let first = api.delete(&path).by(&ada()).send().await;
            over &= faults.calls() - begun <= at;
            faults.revive();
            let mut answer = first;
            for _ in 0..3 {
                if answer.status == 404 || (answer.status == 200 && answer.json()["done"] == true) {
                    break;
                }
                answer = api.delete(&path).by(&ada()).send().await;
            }
            let lifted = restricted(&api.platform.table, &scope(), &waits.email).await.unwrap();
            assert!(!lifted, "{at} {how:?}: {answer:?}");
            let rows = api.platform.rows().await;
            let left = rows.iter().filter(|row| row.kind == RecordKind::Outbox).count();
            let sent = api.platform.letters::<ToJudge>(Hop::Sentiment);
            assert!(sent.len() + left >= 1, "{at} {how:?}: the work that waited is lost");
            assert!(sent.iter().all(|(_, message)| *message == ToJudge::Inquiry(waits.id)));
            assert!(rows.iter().all(|row| row.kind != RecordKind::Restriction), "{at} {how:?}");
        }
        if over {
            break;
        }
        at += 1;
    }
    assert!(at > 5, "every call was tried: {at}");
}

#[tokio::test]
async fn an_inquiry_is_told_as_the_description_says() {
    let api = Api::new();
    let mut inquiry = ask(&api, &scope(), "grace@example.org", "Is it vegan?").await;
    inquiry.state = InquiryState::Closed;
    api.platform.put(&scope(), &inquiry).await;
    let shown = api.get(&at(&inquiry)).by(&ada()).send().await.json();
    let fields: BTreeSet<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "assignee",
        "at",
        "email",
        "from",
        "id",
        "message",
        "name",
        "notes",
        "product",
        "restricted",
        "sentiment",
        "state",
        "until",
    ];
    assert_eq!(fields, BTreeSet::from(expected));
}

#[tokio::test]
async fn every_product_has_a_page_and_an_older_one_gets_one() {
    let api = Api::new();
    let added = api.post("/v1/products", crate::products::loaf()).by(&ada()).send().await;
    let path = added.header("location").to_owned();
    let make =
        async |path: &str| api.post(&format!("{path}/page"), json!({})).by(&ada()).send().await;
    let open = async |page: &Value| {
        let code = page["code"].as_str().unwrap();
        Page::open(&api.platform.table, Product::Engine, code, api.platform.now()).await
    };
    let before = api.platform.rows().await;
    let page = make(&path).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(api.platform.rows().await, before, "it was made with the product");
    let page = page.json();
    assert_eq!(page["path"], format!("/p/{}", page["code"].as_str().unwrap()));
    assert_eq!(open(&page).await.unwrap().product.facts.name, "Sourdough");

    let older = build::product(build::product_id(7), "Rye", api.platform.now());
    api.platform.put(&scope(), &older).await;
    let at = format!("/v1/products/{}", older.id);
    let made = make(&at).await.json();
    assert_eq!(made, make(&at).await.json());
    assert_eq!(open(&made).await.unwrap().scope, scope());

    assert_eq!(api.delete(&path).by(&ada()).send().await.status, 204);
    assert!(open(&page).await.is_err(), "a page goes with its product");
    make(&path).await.refused(404, &[]);
    let stranger = people::approver(people::tenant(2));
    let theirs = api.post(&format!("{at}/page"), json!({})).by(&stranger).send().await;
    theirs.refused(404, &[]);
}
