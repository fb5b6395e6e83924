//! Everything that the page says, in both languages.

use nexus_engine::inquiries::{Complaint, Field, Why};
use nexus_kernel::{Failure, FailureKind, FieldProblem, Language, Money};

use crate::page::Notice;

/// What stands on the page whatever happens.
pub(crate) struct Words {
    pub(crate) ask: &'static str,
    pub(crate) lead: &'static str,
    pub(crate) name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) email_hint: &'static str,
    pub(crate) message: &'static str,
    pub(crate) message_hint: &'static str,
    pub(crate) send: &'static str,
    pub(crate) shop: &'static str,
    pub(crate) to_correct: &'static str,
    pub(crate) leave_empty: &'static str,
    pub(crate) kept: &'static str,
    pub(crate) thanks: &'static str,
    pub(crate) thanks_text: &'static str,
    pub(crate) answer_to: &'static str,
    pub(crate) back: &'static str,
    pub(crate) error: &'static str,
}

const ENGLISH: Words = Words {
    ask: "Ask about it",
    lead: "Write what you would like to know. A person reads it.",
    name: "Your name",
    email: "Your e-mail address",
    email_hint: "Only to answer you.",
    message: "Your question",
    message_hint: "At most 2,000 characters.",
    send: "Send",
    shop: "See it in the shop",
    to_correct: "Something has to be corrected before this can be sent",
    leave_empty: "Leave this field empty",
    kept: "What is kept: your name, your e-mail address and your message, with the time and the link that brought you \
           here. For one year, then it is deleted. A program tells whether a message sounds pleased or displeased; it \
           decides nothing. Your network address is not kept, and this page sets no cookie.",
    thanks: "Thank you",
    thanks_text: "Your question has arrived.",
    answer_to: "Answers go to",
    back: "Back to",
    error: "Error:",
};

const SPANISH: Words = Words {
    ask: "Pregunta lo que quieras",
    lead: "Escribe lo que te gustaría saber. Lo lee una persona.",
    name: "Tu nombre",
    email: "Tu correo electrónico",
    email_hint: "Solo para responderte.",
    message: "Tu pregunta",
    message_hint: "Como máximo 2.000 caracteres.",
    send: "Enviar",
    shop: "Verlo en la tienda",
    to_correct: "Hay que corregir algo antes de enviarlo",
    leave_empty: "Deja este campo vacío",
    kept: "Qué se guarda: tu nombre, tu correo electrónico y tu mensaje, con la hora y el enlace que te trajo aquí. \
           Durante un año; después se borra. Un programa indica si un mensaje suena contento o descontento; no decide \
           nada. Tu dirección de red no se guarda, y esta página no usa cookies.",
    thanks: "Gracias",
    thanks_text: "Tu pregunta ha llegado.",
    answer_to: "Las respuestas llegan a",
    back: "Volver a",
    error: "Error:",
};

/// The words of a language.
pub(crate) const fn of(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::Es => &SPANISH,
    }
}

/// What somebody agrees to, who may know by whom it is kept.
pub(crate) fn consent(language: Language, business: Option<&str>) -> String {
    match (language, business) {
        (Language::En, Some(business)) => {
            format!("{business} may keep what I write here for one year, to answer me.")
        }
        (Language::En, None) => {
            "The merchant may keep what I write here for one year, to answer me.".into()
        }
        (Language::Es, Some(business)) => {
            format!(
                "{business} puede guardar durante un año lo que escribo aquí, para responderme."
            )
        }
        (Language::Es, None) => {
            "El comercio puede guardar durante un año lo que escribo aquí, para responderme.".into()
        }
    }
}

/// What is wrong with a part of the form, and what to do.
pub(crate) fn complaint(language: Language, Complaint { field, why }: Complaint) -> String {
    use Field::{Consent, Email, Message, Name};
    let said = match (language, field, why) {
        (Language::En, Name, Why::Empty) => "Write your name.",
        (Language::Es, Name, Why::Empty) => "Escribe tu nombre.",
        (Language::En, Email, Why::Empty) => "Write your e-mail address.",
        (Language::Es, Email, Why::Empty) => "Escribe tu correo electrónico.",
        (Language::En, Message, Why::Empty) => "Write your question.",
        (Language::Es, Message, Why::Empty) => "Escribe tu pregunta.",
        (Language::En, Name | Email | Consent, Why::Odd) => {
            "There is a character in it that cannot be shown. Write it anew, on one line."
        }
        (Language::Es, Name | Email | Consent, Why::Odd) => {
            "Contiene un carácter que no se puede mostrar. Escríbelo de nuevo, en una línea."
        }
        (Language::En, Message, Why::Odd) => {
            "There is a character in it that cannot be shown. Write your question anew."
        }
        (Language::Es, Message, Why::Odd) => {
            "Contiene un carácter que no se puede mostrar. Escribe tu pregunta de nuevo."
        }
        (Language::En, _, Why::NoAddress) => "Write an address such as ada@example.com.",
        (Language::Es, _, Why::NoAddress) => "Escribe una dirección como ada@example.com.",
        (Language::En, _, Why::NotAgreed | Why::Empty) => {
            "Without this nobody can keep your question and answer it."
        }
        (Language::Es, _, Why::NotAgreed | Why::Empty) => {
            "Sin esto nadie puede guardar tu pregunta ni responderla."
        }
        (Language::En, _, Why::Long(most)) => return format!("Write at most {most} characters."),
        (Language::Es, _, Why::Long(most)) => {
            return format!("Escribe como máximo {most} caracteres.");
        }
    };
    said.to_owned()
}

/// What has to be said above the form.
pub(crate) const fn notice(language: Language, notice: Notice) -> &'static str {
    match (language, notice) {
        (Language::En, Notice::Quick) => {
            "That was very quick. If you are a person, please press “Send” once more."
        }
        (Language::Es, Notice::Quick) => {
            "Ha sido muy rápido. Si eres una persona, pulsa «Enviar» otra vez."
        }
        (Language::En, Notice::Robot) => {
            "Something filled in a field that people do not see. If you are a person, please press “Send” once more."
        }
        (Language::Es, Notice::Robot) => {
            "Algo rellenó un campo que las personas no ven. Si eres una persona, pulsa «Enviar» otra vez."
        }
        (Language::En, Notice::Stale) => {
            "This page was open for a long time. Nothing is lost: please look at what you wrote and press “Send” again."
        }
        (Language::Es, Notice::Stale) => {
            "Esta página llevaba mucho tiempo abierta. No se ha perdido nada: revisa lo que escribiste y pulsa «Enviar» \
             de nuevo."
        }
        (Language::En, Notice::Busy) => {
            "Many questions are arriving just now, and this one was not kept. What you wrote stands here: please send \
             it again in a few minutes."
        }
        (Language::Es, Notice::Busy) => {
            "Ahora mismo llegan muchas preguntas, y esta no se ha guardado. Lo que escribiste sigue aquí: envíalo de \
             nuevo dentro de unos minutos."
        }
        (Language::En, Notice::Later) => {
            "Questions cannot be taken just now. Please try again in a minute."
        }
        (Language::Es, Notice::Later) => {
            "Ahora mismo no se pueden recibir preguntas. Inténtalo de nuevo en un minuto."
        }
    }
}

/// A page that says only this: title and text.
pub(crate) const fn told(language: Language, status: u16) -> (&'static str, &'static str) {
    match (language, status) {
        (Language::En, 404) => {
            ("Nothing here", "This address leads to no product, or not any more.")
        }
        (Language::Es, 404) => {
            ("Aquí no hay nada", "Esta dirección no lleva a ningún producto, o ya no.")
        }
        (Language::En, 405 | 415) => {
            ("Not done here", "Please open the page and use the form on it.")
        }
        (Language::Es, 405 | 415) => {
            ("Así no funciona", "Abre la página y usa el formulario que hay en ella.")
        }
        (Language::En, 413) => (
            "This is too long",
            "A question has at most 2,000 characters, and nothing can be attached. Please go back and write less.",
        ),
        (Language::Es, 413) => (
            "Es demasiado largo",
            "Una pregunta tiene como máximo 2.000 caracteres y no admite archivos. Vuelve atrás y escribe menos.",
        ),
        (Language::En, _) => {
            ("This did not work", "It is not your fault. Please try again in a minute.")
        }
        (Language::Es, _) => {
            ("No ha funcionado", "No es culpa tuya. Inténtalo de nuevo en un minuto.")
        }
    }
}

/// The same complaints for a program.
pub(crate) fn refusal(complaints: &[Complaint]) -> Failure {
    let problem = |complaint: &Complaint| FieldProblem {
        field: complaint.field.name().to_owned(),
        problem: self::complaint(Language::En, *complaint),
    };
    let problems = complaints.iter().map(problem).collect();
    Failure::new(FailureKind::Invalid, "Some fields need another value.").with_fields(problems)
}

/// The same doubt for a program.
pub(crate) fn doubt(doubt: Notice) -> Failure {
    match doubt {
        Notice::Quick => {
            Failure::field("opened", "wait 3 seconds between reading the page and sending")
        }
        _ => Failure::field("opened", "read the page anew: send its `opened`, within 12 hours"),
    }
}

/// An amount as people write it: `$6.50`, `6,50 €`. A sign that several currencies have is not used for one of them
/// alone, save the dollar for that of the United States.
pub(crate) fn price(language: Language, money: Money) -> String {
    let told = money.to_string();
    let Some((amount, code)) = told.split_once(' ') else { return told };
    let sign = match code {
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        _ => code,
    };
    match language {
        Language::En if sign == code => format!("{amount} {code}"),
        Language::En => format!("{sign}{amount}"),
        // In Spanish a dollar alone is the peso of many countries.
        Language::Es if sign == "$" => format!("{} US$", amount.replace('.', ",")),
        Language::Es => format!("{} {sign}", amount.replace('.', ",")),
    }
}

#[cfg(test)]
mod tests {
    use iso_currency::Currency;

    use super::*;

    #[test]
    fn prices_are_written_as_people_write_them() {
        let money = |minor, currency| Money { minor, currency };
        for (amount, english, spanish) in [
            (money(650, Currency::USD), "$6.50", "6,50 US$"),
            (money(650, Currency::EUR), "€6.50", "6,50 €"),
            (money(1_250, Currency::JPY), "1250 JPY", "1250 JPY"),
            (money(5, Currency::MXN), "0.05 MXN", "0,05 MXN"),
        ] {
            assert_eq!(price(Language::En, amount), english);
            assert_eq!(price(Language::Es, amount), spanish);
        }
    }
}
