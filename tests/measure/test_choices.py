from fakeinstruct.measure.choices import choice_figures


def row(template, choice, target, options=4):
    return {"template": template, "choice": choice, "target": target, "words": list("ABCDEF"[:options])}


def test_accuracy_stands_beside_that_of_guessing():
    rows = [
        row("where", "A", "A"),
        row("where", "B", "A"),
        row("which", "A", "A", 2),
        row("which", "B", "B", 2),
    ]
    figures = choice_figures(rows)
    assert (figures["n"], figures["accuracy"], figures["chance"]) == (4, 0.75, 0.375)
    assert figures["per_template"]["where"]["accuracy"] == 0.5
    assert figures["per_template"]["which"]["chance"] == 0.5
    assert list(figures["per_template"]) == ["where", "which"]


def test_no_questions_have_no_accuracy():
    figures = choice_figures([])
    assert figures["accuracy"] is None
    assert figures["unavailable"]["accuracy"] == "no multiple-choice answers in the test split"
