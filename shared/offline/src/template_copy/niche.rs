//! What a tenant does, as far as templates can follow: one of eight lines of business, by its words.

/// A line of business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Niche {
    Food,
    Fashion,
    Beauty,
    Home,
    Fitness,
    Services,
    Pets,
    General,
}

impl Niche {
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::Food,
        Self::Fashion,
        Self::Beauty,
        Self::Home,
        Self::Fitness,
        Self::Services,
        Self::Pets,
        Self::General,
    ];

    /// The word in the phrases' names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Food => "food",
            Self::Fashion => "fashion",
            Self::Beauty => "beauty",
            Self::Home => "home",
            Self::Fitness => "fitness",
            Self::Services => "services",
            Self::Pets => "pets",
            Self::General => "general",
        }
    }

    /// The first of these texts that names a line of business decides, in English or Spanish. A salon or a bakery for
    /// dogs is about pets; otherwise a text's first word that names one counts.
    pub(super) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let named = texts.into_iter().find_map(|text| {
            let words = super::merchant::words(text);
            let niches: Vec<Self> = words.iter().filter_map(|word| Self::named(word)).collect();
            let pets = niches.iter().find(|niche| **niche == Self::Pets);
            pets.or(niches.first()).copied()
        });
        named.unwrap_or(Self::General)
    }

    fn named(word: &str) -> Option<Self> {
        let niche = NICHES.iter().find(|(_, names)| {
            names.iter().any(|name| match name.strip_suffix('*') {
                Some(stem) => word.starts_with(stem),
                None => word == *name || word.strip_suffix('s') == Some(name),
            })
        });
        niche.map(|(niche, _)| *niche)
    }
}

/// The words by which a line of business is known, without accents; `*` stands for any ending.
const NICHES: [(Niche, &[&str]); 7] = [
    (
        Niche::Pets,
        &[
            "pet",
            "dog",
            "cat",
            "puppy",
            "kitten",
            "veterinar*",
            "vet",
            "mascota",
            "perr*",
            "gato",
            "gata",
            "animal*",
            "aquarium",
        ],
    ),
    (
        Niche::Food,
        &[
            "coffee*",
            "cafe*",
            "bakery",
            "baker",
            "bakeries",
            "restaurant*",
            "food*",
            "tea",
            "kitchen",
            "bar",
            "bistro",
            "pizz*",
            "catering",
            "chocolat*",
            "roast*",
            "brewery",
            "juice",
            "icecream",
            "gelato",
            "gelateria",
            "deli",
            "taco",
            "sushi",
            "pastry",
            "pastries",
            "cake",
            "grocer*",
            "wine",
            "panader*",
            "pasteler*",
            "restaurante",
            "comida*",
            "cocina",
            "heladeria",
            "taqueria",
            "reposteria",
            "cerveceria",
            "vinos",
        ],
    ),
    (
        Niche::Fashion,
        &[
            "fashion",
            "cloth*",
            "apparel",
            "boutique",
            "jewel*",
            "shoe*",
            "footwear",
            "accessor*",
            "streetwear",
            "dress*",
            "tailor*",
            "moda",
            "ropa",
            "joyer*",
            "zapat*",
            "accesorio*",
            "bisuteria",
            "sastre*",
            "vestido*",
        ],
    ),
    (
        Niche::Beauty,
        &[
            "beauty",
            "salon*",
            "hair*",
            "nail*",
            "spa",
            "skincare",
            "skin",
            "cosmetic*",
            "barber*",
            "makeup",
            "perfum*",
            "lash*",
            "belleza",
            "peluquer*",
            "barberia*",
            "estetica*",
            "unas",
            "maquillaje",
            "cosmetica*",
        ],
    ),
    (
        Niche::Fitness,
        &[
            "fitness",
            "gym*",
            "yoga",
            "pilates",
            "training",
            "trainer",
            "sport*",
            "crossfit",
            "boxing",
            "running",
            "cycling",
            "martial",
            "gimnasio*",
            "deport*",
            "entrena*",
            "boxeo",
        ],
    ),
    (
        Niche::Home,
        &[
            "home*",
            "decor*",
            "interior*",
            "furniture",
            "craft*",
            "handmade",
            "handcraft*",
            "ceramic*",
            "pottery",
            "candle*",
            "garden*",
            "flower*",
            "florist*",
            "plant*",
            "art",
            "artisan*",
            "textile*",
            "wood*",
            "hogar*",
            "mueble*",
            "artesan*",
            "vela",
            "jardin*",
            "flores",
            "floreria*",
            "floristeria",
            "manualidades",
            "alfareria",
        ],
    ),
    (
        Niche::Services,
        &[
            "service*",
            "consult*",
            "cleaning",
            "repair*",
            "plumb*",
            "electric*",
            "law",
            "lawyer",
            "legal",
            "account*",
            "photograph*",
            "agency",
            "estate",
            "insurance",
            "tutor*",
            "teach*",
            "school",
            "coach*",
            "design*",
            "marketing",
            "software",
            "travel",
            "servicio*",
            "limpieza",
            "reparaci*",
            "abogad*",
            "contab*",
            "fotograf*",
            "agencia*",
            "inmobiliaria*",
            "seguros",
            "clases",
            "asesor*",
            "diseno*",
            "viajes",
            "taller*",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_business_is_known_by_its_words() {
        let cases = [
            ("coffee shop", Niche::Food),
            ("Café & home decor", Niche::Food),
            ("Panadería artesanal", Niche::Food),
            ("dog bakery", Niche::Pets),
            ("hair salon", Niche::Beauty),
            ("salón de uñas", Niche::Beauty),
            ("handmade ceramics", Niche::Home),
            ("yoga studio", Niche::Fitness),
            ("Ropa y accesorios", Niche::Fashion),
            ("plumbing", Niche::Services),
            ("barbecue parts catalog", Niche::General),
            ("", Niche::General),
        ];
        for (text, niche) in cases {
            assert_eq!(Niche::of([text]), niche, "{text}");
        }
    }

    #[test]
    fn the_products_line_comes_before_the_tenants() {
        assert_eq!(Niche::of(["yoga", "coffee shop"]), Niche::Fitness);
        assert_eq!(Niche::of(["", "coffee shop"]), Niche::Food);
    }
}
