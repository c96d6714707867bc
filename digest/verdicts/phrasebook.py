"""Every sentence the program can write about a comparison. Data, to be read and improved by whoever writes well.

Each key is a situation (see `digest.scenes`), each value its phrasings, the first being the house's own. Slots:

    {lead} {trail}              the names, by share of the panel        {left} {right}   by place on the page
    {L} {T}                     their figures: 3–1, or 75 % where a split is unknown
    {L_by} {T_by}               the same after a verb, with its blank: " 3–1" or " on 75 %"
    {lead_share} {trail_share}  who would ship: "three in four", "half the panel", "67 % of the panel"
    {share} {by} {each}         of two that are level: "three in four"; "3–1" or "on 75 %"; ", 3–1 each" or nothing
    {high} {low}                averages                                {ahead} {behind}  whose they are
    {does} {done}               what the panel made of the one, of the other: "Axolotl ships 3–1"
    {verdict} {call}            of two with the same badge; of a single vote

With a capital ({Lead_share}) for the beginning of a sentence.

A split is ships–skips everywhere. Two rules keep the sentences true: nothing here compares the *number* of critics
(panels differ in size), and nobody is said to ship whom most of the panel would skip.
"""

from __future__ import annotations

Phrases = tuple[str, ...]

# Both splits are known.
BY_COUNT: dict[str, Phrases] = {
    "sweep over ship": (
        "{lead} takes it with a clean sweep, {L}; {trail} ships {T}.",
        "Both ship, but only {lead} without dissent: {L} against {T}.",
        "Not one critic would skip {lead}, {L}; {trail} ships {T}.",
        "{trail} ships {T}; {lead} goes further and sweeps the panel, {L}.",
        "A clean sweep puts {lead} ahead, {L} against {T} for {trail}.",
    ),
    "sweep over mixed": (
        "{lead} sweeps the panel, {L}; {trail} divides it, {T}.",
        "The critics are of one mind about {lead}, {L}, and of two about {trail}, {T}.",
        "A clean sweep for {lead}, {L}; only a mixed verdict for {trail}, {T}.",
        "{trail} leaves the panel divided, {T}; {lead} leaves it unanimous, {L}.",
    ),
    "sweep over skip": (
        "{lead} sweeps the panel, {L}; {trail} falls, {T}.",
        "Every vote goes to {lead}, {L}, and most go against {trail}, {T}.",
        "{trail} is a skip at {T}; {lead} is a ship on every vote, {L}.",
        "The panel would ship {lead} without dissent, {L}, and skip {trail}, {T}.",
    ),
    "sweep over shutout": (
        "As one-sided as it gets: {L} for {lead}, {T} for {trail}.",
        "{lead} wins every vote, {L}; {trail} wins none, {T}.",
        "Unanimous both ways: ship {lead}, {L}; skip {trail}, {T}.",
        "No critic would skip {lead}, {L}, and none would ship {trail}, {T}.",
    ),
    "ship over ship": (
        "Both ship, and {lead} is ahead, {L} against {T}.",
        "{trail} ships {T}; {lead} ships a shade more firmly, {L}.",
        "Two ships, and not much in it: {L} for {lead}, {T} for {trail}.",
        "{lead} ships {L}; {trail} is not far behind, {T}.",
    ),
    "ship over mixed": (
        "{lead} ships {L}; {trail} leaves the panel divided, {T}.",
        "On {trail} the critics divide, {T}; {lead} they would ship, {L}.",
        "A ship for {lead}, {L}; no better than mixed for {trail}, {T}.",
        "The panel leans to {lead}, {L}, and cannot settle on {trail}, {T}.",
    ),
    "one vote apart": (
        "One vote separates them: {lead} ships {L}, {trail} is mixed, {T}.",
        "{lead} ships {L}; {trail} falls one vote short, {T}.",
    ),
    "ship over skip": (
        "{lead} ships {L}; {trail} falls, {T}.",
        "The panel would ship {lead}, {L}, and skip {trail}, {T}.",
        "{trail} is a skip at {T}; {lead} makes the cut, {L}.",
        "Ship {lead}, says the panel, {L}; skip {trail}, {T}.",
    ),
    "mirror image": ("A mirror image: {lead} ships {L}, {trail} falls {T}.",),
    "ship over shutout": (
        "{lead} ships {L}; not one critic would ship {trail}, {T}.",
        "Nobody on the panel would ship {trail}, {T}; {lead} ships {L}.",
        "The panel would ship {lead}, {L}, and is united against {trail}, {T}.",
        "A ship for {lead}, {L}; a blank for {trail}, {T}.",
    ),
    "mixed over mixed": (
        "Two mixed verdicts, the warmer one for {lead}: {L} against {T}.",
        "Neither convinces the panel; {lead} comes closer, {L} against {T}.",
        "The panel is divided on both, less so on {lead}: {L} against {T}.",
    ),
    "mixed over skip": (
        "{lead} divides the panel, {L}; {trail} falls, {T}.",
        "No ship here: {lead} is mixed at {L}, {trail} a skip at {T}.",
        "The panel is divided on {lead}, {L}, and would skip {trail}, {T}.",
        "{trail} is a skip at {T}; {lead} does better, but only to mixed, {L}.",
    ),
    "skip over skip": (
        "The panel would ship neither; {lead} comes closer, {L} against {T}.",
        "Two skips: {L} for {lead}, {T} for {trail}.",
        "Neither wins a majority: {L} for {lead}, {T} for {trail}.",
        "{lead} falls, {L}, and {trail} further, {T}: the panel would ship neither.",
    ),
    "votes against scores": (
        "More of the panel would ship {lead}, {L} against {T}, but {trail} scores higher on average, {high} to {low}.",
        "Votes and scores disagree: {lead} leads the first, {L} against {T}, {trail} the second, {high} to {low}.",
        "{trail} averages more, {high} to {low}, yet {lead} has more of the panel behind it, {L} against {T}.",
    ),
    "votes against scores, a ship": (
        "{lead} wins the panel vote, {L} against {T}; {trail} wins on points, {high} to {low}.",
    ),
    "votes against scores, both skips": (
        "The panel would ship neither: {lead} leads on votes, {L} against {T}, {trail} on points, {high} to {low}.",
        "Two skips: on votes {lead} is ahead, {L} against {T}; on points {trail}, {high} to {low}.",
    ),
}

# A percentage is all that is known of one or both.
BY_SHARE: dict[str, Phrases] = {
    "sweep over ship": (
        "{lead} takes it with a clean sweep; {trail_share} would ship {trail}.",
        "The whole panel would ship {lead}; {trail_share} would ship {trail}.",
        "Both ship: {lead} on every vote, {trail} on {T}.",
        "{Trail_share} would ship {trail}, but nobody would skip {lead}.",
    ),
    "sweep over mixed": (
        "{lead} sweeps the panel; only {trail_share} would ship {trail}.",
        "The whole panel would ship {lead}; {trail} divides it, with {T} in favour.",
        "Nobody would skip {lead}; {trail} gets a mixed verdict, on {T}.",
    ),
    "sweep over skip": (
        "{lead} sweeps the panel; only {trail_share} would ship {trail}.",
        "Everyone on the panel would ship {lead}; {trail} is a skip on {T}.",
        "{trail} falls short on {T}; {lead} wins every vote.",
    ),
    "sweep over shutout": (
        "Unanimous both ways: ship {lead}, skip {trail}.",
        "{lead} wins every vote; {trail} wins none.",
        "The whole panel would ship {lead}, and nobody would ship {trail}.",
    ),
    "ship over ship": (
        "Both ship, and {lead} is ahead, {L} against {T}.",
        "Two ships, and not much in it: {L} for {lead}, {T} for {trail}.",
        "{Lead_share} would ship {lead}, and {trail_share} {trail}.",
    ),
    "ship over mixed": (
        "{Lead_share} would ship {lead}; {trail_share} would ship {trail}.",
        "{lead} ships on {L}; {trail} leaves the panel divided, with {T} in favour.",
        "A ship for {lead}, on {L}; no better than mixed for {trail}, on {T}.",
    ),
    "ship over skip": (
        "{Lead_share} would ship {lead}; only {trail_share} would ship {trail}.",
        "{lead} ships on {L}; {trail} falls short on {T}.",
        "The panel would ship {lead}, with {L} in favour, and skip {trail}, with {T}.",
    ),
    "ship over shutout": (
        "{Lead_share} would ship {lead}; nobody on the panel would ship {trail}.",
        "{lead} ships on {L}; {trail} wins no vote at all.",
        "Not one critic would ship {trail}; {lead} ships on {L}.",
    ),
    "mixed over mixed": (
        "Two mixed verdicts, the warmer one for {lead}: {L} against {T}.",
        "Neither convinces the panel; {lead} comes closer, {L} against {T}.",
        "{Lead_share} would ship {lead}, and {trail_share} {trail}: mixed, both of them.",
    ),
    "mixed over skip": (
        "No ship here: {lead} is mixed on {L}, {trail} a skip on {T}.",
        "The panel is divided on {lead}, with {L} in favour, and would skip {trail}, with {T}.",
        "{Lead_share} would ship {lead}; {trail_share} would ship {trail}.",
    ),
    "skip over skip": (
        "The panel would ship neither; {lead} comes closer, {L} against {T}.",
        "Two skips: {L} in favour of {lead}, {T} of {trail}.",
        "Neither wins a majority: {L} for {lead}, {T} for {trail}.",
    ),
    "votes against scores": (
        "More of the panel would ship {lead}, {L} against {T}, but {trail} scores higher on average, {high} to {low}.",
        "{trail} averages more, {high} to {low}, yet {lead} has more of the panel behind it, {L} against {T}.",
    ),
    "votes against scores, a ship": (
        "{lead} wins the panel vote, {L} against {T}; {trail} wins on points, {high} to {low}.",
    ),
    "votes against scores, both skips": (
        "The panel would ship neither: {lead} leads on votes, {L} against {T}, {trail} on points, {high} to {low}.",
        "Two skips: on votes {lead} is ahead, {L} against {T}; on points {trail}, {high} to {low}.",
    ),
}

# Both stand alike; a clause about the averages and the full stop follow.
LEVEL: dict[str, Phrases] = {
    "two sweeps": (
        "Two clean sweeps: not one critic would skip either",
        "Nothing between them on votes: both win every one{each}",
        "{left} and {right} both sweep the panel{each}",
        "The panel would ship either without dissent{each}",
    ),
    "two ships": (
        "Level on the panel: {share} would ship either",
        "A dead heat on votes: both ship {by}",
        "{left} and {right} tie: each ships {by}",
        "Nothing to choose between them on votes: both ship {by}",
    ),
    "two halves": (
        "The panel is split down the middle on both{each}",
        "On both, half the panel would ship and half would skip{each}",
        "Level and undecided: both divide the panel evenly{each}",
        "No majority for either: {left} and {right} both halve the panel{each}",
    ),
    "two mixed": (
        "Level on the panel, and mixed: {share} would ship either",
        "Two mixed verdicts, level on votes{each}",
        "{left} and {right} both come out mixed{each}",
    ),
    "two skips": (
        "The panel would ship neither: both fall {by}",
        "Level, and both skips: only {share} would ship either",
        "Neither wins a majority, and the votes are level{each}",
    ),
    "two shutouts": (
        "The panel would ship neither: not a single vote for {left} or {right}",
        "No critic would ship either{each}",
        "{left} and {right} both go without a vote to ship{each}",
    ),
}

# What the averages add to a level pair.
AVERAGES: dict[str, Phrases] = {
    "apart": (
        "; {ahead} has the higher average, {high} to {low}.",
        "; on average score {ahead} is ahead, {high} to {low}.",
        "; the scores favour {ahead}, {high} to {low} on average.",
    ),
    "close": (
        "; {ahead} is a whisker ahead on average, {high} to {low}.",
        "; on average score {ahead} just has it, {high} to {low}.",
        "; even the averages are close, {high} to {low} for {ahead}.",
    ),
    "one point": (
        "; {ahead} is a single point ahead on average, {high} to {low}.",
        "; one point of average score divides them, {high} to {low} for {ahead}.",
    ),
    "alike": (
        "; the averages match too, at {high}.",
        "; even the average is the same, {high}.",
    ),
    "unknown": (".",),
}

# The page does not say enough for a comparison, or says two things at once.
ELSE: dict[str, Phrases] = {
    "one vote each, ship": (
        "One vote each, and both say ship.",
        "A single critic has voted on each, and would ship it.",
    ),
    "one vote each, skip": (
        "The panel would ship neither, on one vote each.",
        "One vote each, and both say skip.",
    ),
    "one vote each, divided": (
        "One vote each: ship for {lead}, skip for {trail}.",
        "On a single vote each, {lead} ships and {trail} does not.",
    ),
    "one vote": (
        "{does}; {done}.",
        "Just one vote on {trail}, to {call}; {does}.",
    ),
    "one verdict": (
        "{does}; the page gives no panel verdict on {trail}.",
        "No panel verdict on {trail}; {does}.",
        "{does}; for {trail} the page shows no verdict of the panel.",
    ),
    "two badges, alike": (
        "The same verdict for both, {verdict}; the page does not give every vote.",
        "Both get a {verdict} verdict, though the page does not show every vote.",
    ),
    "badge": (
        "{does}; {done}.",
        "{does}, and {done}.",
    ),
    "doubt": (
        "{does}; {done}.",
        "As the page has it, {does}, and {done}.",
        "{does}, while {done}.",
    ),
    "no verdict": (
        "The page gives no panel verdict on either.",
        "No panel verdict on {left} or {right}.",
        "What the panel makes of {left} and {right} the page does not say.",
    ),
    "no verdict, scores": (
        "No panel verdict on either; on average score {ahead} is ahead, {high} to {low}.",
        "The page gives scores but no verdicts: {ahead} averages {high}, {behind} {low}.",
    ),
    "no verdict, scores alike": (
        "No panel verdict on either; both average {high}.",
        "The page gives scores but no verdicts: both average {high}.",
    ),
}

# Subjects, from the most newsworthy situation down; in each the richest first: the first that fits is taken. Those
# that begin with a name give way to the others where the name is long. The first of each serves as a sentence in the
# breath, so none has a full stop.
SUBJECTS: dict[str, Phrases] = {
    "sweep over shutout": (
        "{lead} wins every vote, {trail} none",
        "{lead} wins every vote",
        "Every vote goes to {lead}",
    ),
    "sweep over skip": (
        "{lead} sweeps the panel{L_by}; {trail} falls{T_by}",
        "{lead} sweeps the panel{L_by}",
        "A clean sweep for {lead}",
    ),
    "votes against scores": (
        "{lead} wins the panel vote, {trail} the higher score",
        "{lead} wins the panel vote but not the score",
        "Votes and scores disagree on {lead}",
    ),
    "ship over shutout": (
        "{lead} ships{L_by}; nobody would ship {trail}",
        "{lead} ships{L_by}",
        "A ship for {lead}",
    ),
    "sweep over mixed": (
        "{lead} sweeps the panel{L_by}; {trail} divides it",
        "{lead} sweeps the panel{L_by}",
        "A clean sweep for {lead}",
    ),
    "sweep over ship": (
        "{lead} sweeps the panel{L_by}; {trail} splits it",
        "{lead} sweeps the panel{L_by}",
        "A clean sweep for {lead}",
    ),
    "ship over skip": (
        "{lead} ships{L_by}; {trail} falls{T_by}",
        "{lead} ships{L_by}",
        "A ship for {lead}",
    ),
    "two shutouts": (
        "Not one vote for {left} or {right}",
        "Not one vote for {left}",
    ),
    "two sweeps": (
        "{left} and {right} both sweep the panel",
        "Two clean sweeps, one for {left}",
    ),
    "skip over skip": (
        "Neither {lead} nor {trail} wins the panel over",
        "{lead} does not win the panel over",
    ),
    "two skips": (
        "Neither {left} nor {right} wins the panel over",
        "{left} does not win the panel over",
    ),
    "votes against scores, both skips": (
        "{lead} and {trail}: two skips, on which votes and scores disagree",
        "Neither {lead} nor {trail} wins the panel over",
    ),
    "ship over mixed": (
        "{lead} ships{L_by}; {trail} divides the panel",
        "{lead} ships{L_by}",
        "A ship for {lead}",
    ),
    "mixed over skip": (
        "{lead} divides the panel; {trail} falls{T_by}",
        "{lead} divides the panel",
        "A divided panel on {lead}",
    ),
    "two ships": (
        "{left} and {right} tie: {share} would ship either",
        "{left} and {right} tie on the panel",
        "A tie for {left}: {share} would ship it",
    ),
    "ship over ship": (
        "{lead} edges out {trail}, {L} to {T}",
        "{lead} ships{L_by}",
        "A ship for {lead}",
    ),
    "two halves": (
        "{left} and {right} both split the panel in half",
        "{left} splits the panel in half",
    ),
    "two mixed": (
        "{left} and {right} tie, and both are mixed",
        "{left} divides the panel",
    ),
    "mixed over mixed": (
        "{lead} and {trail} both divide the panel",
        "{lead} divides the panel",
    ),
    "one vote each, divided": ("{lead} ships, {trail} does not, on one vote each",),
    "one vote each, ship": ("{left} and {right}: one vote each, both to ship",),
    "one vote each, skip": ("{left} and {right}: one vote each, both to skip",),
    "one vote": ("{does}; just one vote on {trail}", "{does}"),
    "one verdict": ("{does}; no verdict on {trail}", "{does}"),
    "two badges, alike": ("{left} and {right}: {verdict} for both",),
    "badge": ("{does}; {done}", "{does}", "{done}"),
    "no verdict, scores": ("{ahead} scores higher than {behind}, {high} to {low}",),
    "no verdict, scores alike": ("{left} and {right} both average {high}",),
    "no verdict": ("{left} against {right}: no panel verdict",),
    "doubt": ("{left} against {right}, side by side",),
}

NEWS: Phrases = tuple(SUBJECTS)

# Subjects for names that do not fit.
NAMELESS: dict[str, str] = {
    "sweep over shutout": "One tool wins every vote, its rival none",
    "votes against scores": "One tool wins the panel vote, its rival the higher score",
    "sweep over skip": "One tool sweeps the panel, its rival is skipped",
    "ship over shutout": "One tool ships; nobody would ship its rival",
    "sweep over mixed": "One tool sweeps the panel, its rival divides it",
    "sweep over ship": "One tool sweeps the panel, its rival splits it",
    "ship over skip": "One tool ships, its rival is skipped",
    "two shutouts": "Two tools, and not one vote to ship",
    "two sweeps": "Two clean sweeps in one comparison",
    "skip over skip": "The panel would ship neither of two rivals",
    "two skips": "The panel would ship neither of two rivals",
    "votes against scores, both skips": "Two skips, on which votes and scores disagree",
    "ship over mixed": "One tool ships, its rival divides the panel",
    "mixed over skip": "One tool divides the panel, its rival is skipped",
    "two ships": "A tie: the panel would ship either",
    "ship over ship": "Both ship, one just ahead",
    "two halves": "Two tools, and a panel split in half on both",
    "two mixed": "A tie between two mixed verdicts",
    "mixed over mixed": "Two tools divide the panel",
    "one vote each, divided": "One vote each: ship and skip",
    "one vote each, ship": "One vote each, both to ship",
    "one vote each, skip": "One vote each, both to skip",
    "one vote": "Two tools, one of them on a single vote",
    "one verdict": "Two tools, one panel verdict",
    "two badges, alike": "The same verdict for both tools",
    "badge": "Two tools, two panel verdicts",
    "no verdict, scores": "Scores for two tools, and no panel verdict",
    "no verdict, scores alike": "The same average for two tools",
    "no verdict": "Two tools side by side, no panel verdict",
    "doubt": "Two tools side by side",
}

# Situations in which the panel decided something: only these are news in the breath.
DECIDED = frozenset(NEWS[: NEWS.index("one vote each, divided")])
