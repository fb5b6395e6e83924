//! The words of a mail about a notice: what happened, and what to do. In English, and below it in Spanish where the
//! tenant's languages have it.
//!
//! It says what the notice says, to the account's own address, and greets by the account's own name. Of other people
//! there is nothing in it, and no link: who wants to do something opens Nexus as always, and a mail with a link in it
//! that asks for an account teaches people to follow such links.

use jiff::tz::TimeZone;
use nexus_core::mail::{MailAddress, Message, Purpose};
use nexus_kernel::{Failure, Language, Timestamp};

use crate::account::{Account, Settings};
use crate::notices::{Notice, NoticeCode};

/// What such mails are for, as the carrier sees it.
pub const PURPOSE: &str = "service-notice";

/// The mail about a notice.
///
/// # Errors
/// The account's address cannot be written to: the failure names the field `email` and never the address.
pub fn about(notice: &Notice, account: &Account, settings: &Settings) -> Result<Message, Failure> {
    let to = MailAddress::parse(account.email.reveal())?;
    let (english, spanish) = (english(notice.code), spanish(notice.code));
    let in_spanish = settings.languages.contains(&Language::Es);
    let subject = match in_spanish {
        true => format!("{} · {}", english.subject, spanish.subject),
        false => english.subject.to_owned(),
    };
    let (name, business) = (&account.display_name, &account.business_name);
    let mut text = format!(
        "Hello {name},\n\n{}\n\nWhat to do: {}\n\nThis happened on {}. It stands among your notices in Nexus, too. You \
         get this mail because Nexus posts for {business}.\n",
        notice.text,
        english.to_do,
        shown(notice.at, settings),
    );
    if in_spanish {
        text.push_str(&format!(
            "\n---\n\nHola, {name}:\n\n{} Los detalles están arriba, en inglés.\n\nQué hacer: {}\n\nTambién figura entre \
             tus avisos en Nexus. Recibes este correo porque Nexus publica para {business}.\n",
            spanish.happened, spanish.to_do,
        ));
    }
    Message::new(to, subject, text, Purpose::parse(PURPOSE)?)
}

/// A moment by the tenant's clocks: `1 March 2027, 09:00 (Europe/Madrid)`.
fn shown(at: Timestamp, settings: &Settings) -> String {
    let zone = TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC);
    let name = zone.iana_name().unwrap_or("UTC").to_owned();
    format!("{} ({name})", at.to_zoned(zone).strftime("%-d %B %Y, %H:%M"))
}

/// What is said of a kind of notice in English; what happened is the notice's own text.
struct English {
    subject: &'static str,
    to_do: &'static str,
}

fn english(code: NoticeCode) -> English {
    match code {
        NoticeCode::ReconnectNeeded => English {
            subject: "An account has to be connected again",
            to_do: "open Nexus and connect the account again. What was to be posted there and is past its time has to \
                    be approved anew.",
        },
        NoticeCode::RevokedOutside => English {
            subject: "An account no longer lets Nexus post",
            to_do: "if you want to go on, open Nexus, connect the account again, and approve its posts anew. If you \
                    took the permission back yourself, nothing is left to do.",
        },
        NoticeCode::RemoveThereToo => English {
            subject: "One step is left to disconnect an account",
            to_do: "open the settings of that network, find the list of connected applications, and remove this one.",
        },
        NoticeCode::PersonNeeded => English {
            subject: "Please look whether a post is there",
            to_do: "look at the account itself, then open Nexus, find it among the open questions, and say whether it \
                    is there.",
        },
        NoticeCode::PostNotSent => English {
            subject: "A post was not sent",
            to_do: "open Nexus, look at the post and at why it was not sent, mend that where you can, and send it anew.",
        },
    }
}

/// The same in Spanish.
struct Spanish {
    subject: &'static str,
    happened: &'static str,
    to_do: &'static str,
}

fn spanish(code: NoticeCode) -> Spanish {
    match code {
        NoticeCode::ReconnectNeeded => Spanish {
            subject: "Hay que volver a conectar una cuenta",
            happened: "Una de tus cuentas tiene que conectarse de nuevo antes de poder publicar en ella.",
            to_do: "abre Nexus y vuelve a conectar la cuenta. Lo que debía publicarse en ella y ya ha pasado de su hora \
                    tiene que aprobarse de nuevo.",
        },
        NoticeCode::RevokedOutside => Spanish {
            subject: "Una cuenta ya no permite publicar a Nexus",
            happened: "Una de tus cuentas ya no permite que Nexus publique en ella.",
            to_do: "si quieres seguir, abre Nexus, vuelve a conectar la cuenta y aprueba de nuevo sus publicaciones. Si \
                    retiraste el permiso tú mismo, no queda nada por hacer.",
        },
        NoticeCode::RemoveThereToo => Spanish {
            subject: "Falta un paso para desconectar una cuenta",
            happened: "Una cuenta está desconectada aquí, pero no se ha podido avisar a su red.",
            to_do: "abre los ajustes de esa red, busca la lista de aplicaciones conectadas y elimina esta.",
        },
        NoticeCode::PersonNeeded => Spanish {
            subject: "Comprueba si una publicación está en su red",
            happened: "Una publicación puede estar o no en su red, y Nexus ya no puede averiguarlo.",
            to_do: "mira en la propia cuenta, abre después Nexus, búscala entre las preguntas abiertas y di si está.",
        },
        NoticeCode::PostNotSent => Spanish {
            subject: "Una publicación no se ha enviado",
            happened: "Una publicación aprobada no se ha enviado, y no se enviará por sí sola.",
            to_do: "abre Nexus, mira la publicación y por qué no se envió, corrígelo si puedes y envíala de nuevo.",
        },
    }
}

#[cfg(test)]
mod tests {
    use nexus_core::mail::MAX_SUBJECT;
    use nexus_kernel::Pii;

    use super::*;
    use crate::mailing::Mailing;
    use crate::notices::NoticeId;

    fn account() -> Account {
        Account {
            email: Pii::new("ada@example.org".to_owned()),
            business_name: "Luna Bakery".into(),
            niche: "bakery".into(),
            brand_voice: "warm".into(),
            display_name: "Ada".into(),
        }
    }

    fn notice(code: NoticeCode) -> Notice {
        Notice {
            id: NoticeId::derived(&["n"]),
            at: "2027-03-01T08:00:00Z".parse().unwrap(),
            code,
            text: "Nothing can be posted to `ada` at X before the account is connected again."
                .into(),
            about: Some("con_1".into()),
            mail: Mailing::Waiting,
        }
    }

    fn settings(languages: &[Language]) -> Settings {
        let time_zone = "Europe/Madrid".into();
        Settings { languages: languages.to_vec(), time_zone, ..Settings::default() }
    }

    #[test]
    fn it_says_what_happened_and_what_to_do_by_the_tenants_clocks() {
        let english = settings(&[Language::En]);
        let mail = about(&notice(NoticeCode::ReconnectNeeded), &account(), &english).unwrap();
        assert_eq!(mail.to().reveal(), "ada@example.org");
        assert_eq!(mail.subject().reveal(), "An account has to be connected again");
        let text = mail.text().reveal();
        assert!(text.starts_with("Hello Ada,\n\nNothing can be posted to `ada` at X"), "{text}");
        assert!(text.contains("What to do: open Nexus and connect"), "{text}");
        assert!(text.contains("on 1 March 2027, 09:00 (Europe/Madrid)"), "{text}");
        assert!(!text.contains("Hola"), "{text}");
        assert!(mail.html().is_none() && mail.reply_to().is_none());
    }

    #[test]
    fn who_posts_in_spanish_reads_it_in_spanish_too() {
        for code in NoticeCode::ALL {
            let mail = about(&notice(code), &account(), &settings(&Language::ALL)).unwrap();
            let (subject, text) = (mail.subject().reveal(), mail.text().reveal());
            assert!(subject.contains(" · ") && subject.chars().count() <= MAX_SUBJECT, "{subject}");
            let (english, spanish) = text.split_once("\n---\n").unwrap();
            assert!(english.contains("What to do:") && spanish.contains("Qué hacer:"), "{text}");
            assert!(spanish.starts_with("\nHola, Ada:"), "{spanish}");
            assert_eq!(text.matches("Ada").count(), 2, "greetings alone name anybody");
        }
    }

    #[test]
    fn it_holds_no_address_no_link_and_no_id() {
        for code in NoticeCode::ALL {
            let mail = about(&notice(code), &account(), &settings(&Language::ALL)).unwrap();
            let text = mail.text().reveal();
            for never in ["@", "http", "con_1", "ntc_"] {
                assert!(!text.contains(never), "{never} in {text}");
            }
        }
    }

    #[test]
    fn an_address_that_cannot_be_written_to_is_named_by_its_field_alone() {
        let account = Account { email: Pii::new("ada@café.example".into()), ..account() };
        let refused = about(&notice(NoticeCode::ReconnectNeeded), &account, &Settings::default());
        let refused = refused.unwrap_err();
        assert_eq!(refused.fields()[0].field, "email");
        assert!(!format!("{refused:?}").contains("café"), "{refused:?}");
    }
}
