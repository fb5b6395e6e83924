//! Mails in the folder as a person would look at them, and over SMTP against a server on loopback.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use nexus_core::Product;
use nexus_core::effect::Outcome;
use nexus_core::mail::Purpose;
use nexus_core::vault::SecretName;
use nexus_embedded::Store;
use nexus_kernel::Secret;
use nexus_kernel::ambient::ManualClock;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;

fn ambient() -> Ambient {
    let at = "2027-03-01T09:00:00Z".parse().unwrap();
    Ambient::seeded(Arc::new(ManualClock::at(at)), 1)
}

fn message() -> Message {
    let to = MailAddress::parse("ada@example.org").unwrap();
    let purpose = Purpose::parse("service-notice").unwrap();
    let text = "Hello Ada,\n\nNothing was posted to X.\n\n.\n\nQué hacer: mira en la cuenta.\n";
    Message::new(to, "An account · Una cuenta".into(), text.into(), purpose).unwrap()
}

fn settings(pairs: &[(&'static str, &'static str)]) -> Result<Settings, Failure> {
    let pairs: BTreeMap<&str, &str> = pairs.iter().copied().collect();
    Settings::read(|name| pairs.get(name).copied())
}

/// A data directory, and who carries mail from it.
fn carrier(
    pairs: &[(&'static str, &'static str)],
) -> (tempfile::TempDir, Arc<dyn Mail>, Arc<dyn Vault>) {
    let (data, ambient) = (tempfile::tempdir().unwrap(), ambient());
    let store = Store::open(data.path(), Product::Engine, ambient.clone()).unwrap();
    let vault = crate::keys::over(data.path(), store.table(), &ambient).unwrap();
    let carrier = settings(pairs).unwrap().carrier(data.path(), &vault, &ambient);
    (data, carrier, vault)
}

#[test]
fn what_is_set_wrongly_is_told_by_its_setting() {
    let of = |pairs: &[(&'static str, &'static str)]| {
        settings(pairs).unwrap_err().fields()[0].field.clone()
    };
    assert_eq!(of(&[("SMTP_SERVER", "mail.example.org")]), "SMTP_SERVER");
    assert_eq!(of(&[("SMTP_SERVER", "mail.example.org:0")]), "SMTP_SERVER");
    assert_eq!(of(&[("SMTP_SERVER", "ada@mail.example.org:25")]), "SMTP_SERVER");
    assert_eq!(of(&[("SMTP_SERVER", "mail.example.org:587")]), "MAIL_FROM");
    assert_eq!(of(&[("MAIL_FROM", "nobody")]), "MAIL_FROM");
    assert_eq!(of(&[("SMTP_USER", "ada")]), "SMTP_USER");
    let told = settings(&[]).unwrap().describe(Path::new("data"));
    assert_eq!(told, "into data/mail, a file each: set SMTP_SERVER and MAIL_FROM to send it");
    let set = [("SMTP_SERVER", "mail.example.org:465"), ("MAIL_FROM", "nexus@example.org")];
    let told = settings(&set).unwrap().describe(Path::new("data"));
    assert_eq!(told, "by SMTP to mail.example.org:465, over TLS, without a log-in");
}

#[tokio::test]
async fn without_a_server_a_mail_is_a_file_that_its_owner_alone_reads() {
    let (data, carrier, _) = carrier(&[]);
    let Outcome::Done { receipt, .. } = carrier.send(&message()).await else {
        panic!("it is kept")
    };
    carrier.send(&message()).await;
    let folder = data.path().join("mail");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "a file each");
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let file = folder.join(format!("{}.eml", receipt.split('@').next().unwrap()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mail = String::from_utf8(std::fs::read(&file).unwrap()).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: nexus@localhost.localdomain",
        "To: ada@example.org",
        "Date: Mon, 01 Mar 2027 09:00:00 +0000",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
    ] {
        assert!(head.lines().any(|told| told == line), "{line} in {head}");
    }
    assert!(head.contains(&format!("Message-ID: <{receipt}>")), "{head}");
    assert!(head.contains("Subject: An account =?utf-8?"), "{head}");
    assert!(body.starts_with("Hello Ada,\r\n\r\nNothing was posted to X."), "{body}");
    assert!(mail.is_ascii() || head.contains("Content-Transfer-Encoding: 8bit"), "{mail}");
}

/// What a server on loopback answers: to a command that begins so, this; else what is usual.
#[derive(Clone, Default)]
struct Says {
    instead: Vec<(&'static str, &'static str)>,
}

/// What a server on loopback was told, line by line. It hears one conversation.
async fn server(says: Says) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        let (line, _) = listener.accept().await.unwrap();
        let (read, mut write) = line.into_split();
        let (mut lines, mut in_data) = (BufReader::new(read).lines(), false);
        write.write_all(b"220 here\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            told.lock().unwrap().push(line.clone());
            let said = match line.as_str() {
                "." if in_data => {
                    in_data = false;
                    "250 taken"
                }
                _ if in_data => continue,
                line if line.starts_with("EHLO") => "250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                line if line.starts_with("AUTH") => "235 welcome",
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "250 well",
            };
            let other = says.instead.iter().find(|(command, _)| line.starts_with(command));
            let said = other.map_or(said, |(_, said)| said);
            // An empty answer is none: the line breaks.
            if said.is_empty() || write.write_all(format!("{said}\r\n").as_bytes()).await.is_err() {
                return;
            }
        }
    });
    (port, heard)
}

async fn sent(says: Says, user: bool) -> (Outcome, Vec<String>) {
    let (port, heard) = server(says).await;
    let server: &'static str = format!("127.0.0.1:{port}").leak();
    let mut set = vec![("SMTP_SERVER", server), ("MAIL_FROM", "nexus@luna.example")];
    if user {
        set.push(("SMTP_USER", "ada"));
    }
    let (_data, carrier, vault) = carrier(&set);
    if user {
        let name = SecretName::of_house(Product::Engine, PASSWORD).unwrap();
        vault.rotate(&name, None, &Secret::new("s3cret\n".to_owned())).await.unwrap();
    }
    let outcome = carrier.send(&message()).await;
    let heard = heard.lock().unwrap().clone();
    (outcome, heard)
}

#[tokio::test]
async fn a_mail_goes_to_the_server_to_its_one_address() {
    let (outcome, heard) = sent(Says::default(), true).await;
    let Outcome::Done { receipt, .. } = &outcome else { panic!("{outcome:?}: {heard:?}") };
    assert!(receipt.ends_with("@luna.example"), "{receipt}");
    let said = |line: &str| heard.iter().filter(|told| *told == line).count();
    // The SASL message of RFC 4616: nothing, the name, the password, without the line break it was pasted with.
    assert_eq!(said("AUTH PLAIN AGFkYQBzM2NyZXQ="), 1, "{heard:?}");
    assert!(
        heard.iter().any(|line| line.starts_with("MAIL FROM:<nexus@luna.example>")),
        "{heard:?}"
    );
    let to: Vec<_> = heard.iter().filter(|line| line.starts_with("RCPT TO")).collect();
    assert_eq!(to, ["RCPT TO:<ada@example.org>"]);
    assert_eq!(said("To: ada@example.org"), 1);
    assert_eq!(said(".."), 1, "a line that is one full stop does not end the mail: {heard:?}");
}

#[tokio::test]
async fn outcomes_are_kept_apart_and_tell_no_address() {
    let refused = |code: u16| Outcome::Refused {
        why: format!("The mail server refused the mail (SMTP {code})."),
    };
    let (later, broke) = (
        Outcome::Throttled { after_seconds: 300 },
        Outcome::Unknown { why: "the line to the mail server broke off".into() },
    );
    let cases = [
        ("RCPT", "550 no such person ada@example.org", refused(550)),
        ("MAIL", "553 not from there", refused(553)),
        (".", "554 it looks like spam", refused(554)),
        ("RCPT", "450 come again", later.clone()),
        (".", "451 come again", later.clone()),
        ("EHLO", "421 too many", later.clone()),
        ("EHLO", "", later),
        (".", "", broke.clone()),
        ("DATA", "", broke),
    ];
    for (command, answer, expected) in cases {
        let says = Says { instead: vec![(command, answer)] };
        let (outcome, heard) = sent(says, false).await;
        assert_eq!(outcome, expected, "{command} {answer}: {heard:?}");
    }
    let (outcome, _) = sent(Says { instead: vec![("MAIL", "530 log in first")] }, false).await;
    assert!(matches!(outcome, Outcome::Login { .. }), "{outcome:?}");
    let (outcome, heard) = sent(Says { instead: vec![("AUTH", "535 no")] }, true).await;
    assert!(matches!(&outcome, Outcome::Login { why } if why.contains("smtp")), "{outcome:?}");
    assert!(!heard.iter().any(|line| line.starts_with("MAIL")), "nothing was handed over");
}

#[tokio::test]
async fn a_server_that_is_not_there_has_taken_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server: &'static str =
        format!("127.0.0.1:{}", listener.local_addr().unwrap().port()).leak();
    drop(listener);
    let set = [("SMTP_SERVER", server), ("MAIL_FROM", "nexus@luna.example")];
    let (_data, carrier, _) = carrier(&set);
    assert_eq!(carrier.send(&message()).await, Outcome::Throttled { after_seconds: 300 });
}
