from collections import Counter, defaultdict

import numpy as np
import pytest
from conftest import make_chain, make_set, mixed

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.chains.schema import Assessment, Label, Split
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.plan import SHARD_PAIRS, make_plan
from fakeinstruct.expand.quotas import Budget
from fakeinstruct.expand.render import render_chain


def plan_of(chains, templates, **settings):
    seed = settings.pop("seed", 0)
    return make_plan(chains, templates, seed=seed, budget=Budget(**settings), rejects=Rejects())


def test_every_stratum_of_every_split_is_balanced(chain_set, templates):
    plan = plan_of(chain_set, templates)
    totals = Counter()
    for number, chain in enumerate(chain_set.read()):
        for stratum, quota in plan.quotas_of(number).items():
            totals[chain.split, stratum, chain.label] += quota
    assert {split for split, _, _ in totals} == {Split.TRAIN, Split.TEST}
    assert all(
        count == totals[split, stratum, other]
        for (split, stratum, _), count in totals.items()
        for other in Label
    )
    assert (plan.quotas <= plan.supply.held).all()


def test_the_budget_is_kept_and_nearly_spent(chain_set, templates):
    assert plan_of(chain_set, templates).pairs == 60 * 200
    for budget in (2, 1001, 5000):
        plan = plan_of(chain_set, templates, pairs=budget)
        assert budget - 3 <= plan.pairs <= budget


def test_weights_set_the_mixture(chain_set, templates):
    rows = {
        row.template: row.quota for row in plan_of(chain_set, templates, pairs=4000).rows(templates.templates)
    }
    weights = {template.id: template.front.weight for template in templates.templates}
    for template, count in rows.items():
        assert count == pytest.approx(4000 * weights[template] / sum(weights.values()), abs=4)


def test_a_task_s_weight_multiplies_those_of_its_templates(chain_set, templates):
    plan = plan_of(chain_set, templates, pairs=4000, weights={"verdict": 3, "advice": 0})
    weights = {
        template.id: template.front.weight * {"verdict": 3, "advice": 0}.get(template.front.task, 1)
        for template in templates.templates
    }
    for row in plan.rows(templates.templates):
        assert row.weight == weights[row.template]
        assert row.quota == pytest.approx(4000 * row.weight / sum(weights.values()), abs=4)


def test_more_than_there_is_is_said(chain_set, templates):
    """What is asked for beyond what is balanced is not given, and the templates it is short of are named."""
    few = plan_of(chain_set, templates, pairs=4000)
    assert not few.exhausted
    assert (few.asked, few.pairs) == (4000, 4000)
    capped = plan_of(chain_set, templates, pairs=4000, max_per_image=5)
    assert capped.exhausted
    assert capped.per_chain.max() == 5
    assert 950 <= capped.pairs <= 1000
    most = sum(row.most for row in few.rows(templates.templates))
    everything = plan_of(chain_set, templates, pairs=most + 2)
    assert everything.exhausted
    assert everything.pairs == most
    assert all(row.scarce for row in everything.rows(templates.templates))
    rows = plan_of(chain_set, templates, pairs=100_000).rows(templates.templates)
    assert {row.scarce for row in rows} == {True, False}
    level = min(row.quota / row.weight for row in rows if not row.scarce)
    assert all(row.quota / row.weight <= level + 4 for row in rows if row.scarce)


def test_chains_share_evenly(chain_set, templates):
    per_chain = plan_of(chain_set, templates).per_chain
    assert per_chain.min() > 35
    assert per_chain.max() < 85
    few = plan_of(chain_set, templates, pairs=400).per_chain
    assert few.min() >= 1
    assert few.max() <= 3


def test_shards_are_consecutive_and_of_bounded_size(chain_set, templates, monkeypatch):
    monkeypatch.setattr("fakeinstruct.expand.plan.SHARD_PAIRS", 1000)
    plan = plan_of(chain_set, templates)
    assert plan.shards[0][0] == 0
    assert plan.shards[-1][1] == 200
    assert all(one[1] == other[0] for one, other in zip(plan.shards, plan.shards[1:], strict=False))
    sizes = [int(plan.per_chain[start:end].sum()) for start, end in plan.shards]
    assert all(900 <= size <= 1100 for size in sizes[:-1])
    assert SHARD_PAIRS == 16_384


def test_the_fingerprint_follows_what_changes_the_bytes(templates, tmp_path):
    one = make_set(tmp_path / "one", mixed(24))
    plans = [
        plan_of(one, templates),
        plan_of(one, templates, seed=1),
        plan_of(one, templates, pairs=500),
        plan_of(one, templates, weights={"verdict": 2}),
        plan_of(one, templates, max_per_template=300),
        plan_of(one, templates, max_per_image=40),
        plan_of(make_set(tmp_path / "other", mixed(20)), templates),
    ]
    assert len({plan.fingerprint for plan in plans}) == 7
    assert plan_of(one, templates).fingerprint == plans[0].fingerprint


def test_one_label_alone_is_refused(tmp_path, templates):
    fakes = [make_chain(f"f{number}", Label.FAKE) for number in range(3)]
    with pytest.raises(FakeInstructError, match=r"fake images only.*Add chains of real images"):
        plan_of(make_set(tmp_path, fakes), templates)


def test_reals_without_traces_leave_the_templates_that_need_them_empty(tmp_path, templates):
    chains = [make_chain(f"f{number}", Label.FAKE) for number in range(9)]
    chains += [make_chain(f"r{number}", Label.REAL, traces=0, judged=0) for number in range(9)]
    plan = plan_of(make_set(tmp_path, chains), templates)
    planned = {row.template for row in plan.rows(templates.templates) if row.quota}
    assert {"verdict/one_word", "choice/spot"} <= planned  # no attribute of a photograph gives it away
    needy = {template.id for template in templates.templates if template.front.needs.traces}
    assert not planned & needy


def test_bad_chains_are_listed_and_planned_for_nothing(tmp_path, templates):
    chains = [chain.model_copy(update={"split": None}) for chain in mixed(12)]
    bad = chains[3].traces[0].model_copy(update={"observation": "an <image> here"})
    chains[3] = chains[3].model_copy(update={"traces": (bad,)})
    chain_set = make_set(tmp_path, chains)
    (tmp_path / "images" / chains[4].image.path).symlink_to("/etc/hostname")
    rejects = Rejects()
    plan = make_plan(chain_set, templates, seed=0, rejects=rejects)
    assert [(error.record, error.field) for error in rejects.errors] == [
        (chains[3].id, "traces.0.observation"),
        (chains[4].id, "image.path"),
    ]
    assert not plan.per_chain[3:5].any()
    assert plan.per_chain[5:].all()


def skewed(count):
    """Fakes whose traces are of other attributes than the reals', as published annotation has it."""
    chains = []
    for number in range(count):
        label = list(Label)[number % 2]
        chain = make_chain(f"s{number:03d}", label, traces=3, judged=9, seed=4)
        first = (
            ["edge", "texture", "shape"] if label is Label.FAKE else ["clarity", "overall_tone", "texture"]
        )
        rest = sorted({trace.attribute for trace in chain.traces} | set(chain.assessed) - set(first))
        traces = [t.model_copy(update={"attribute": key}) for t, key in zip(chain.traces, first, strict=True)]
        assessed = {key: Assessment.ABSENT for key in rest if key not in first}
        split = Split.TRAIN if number % 4 < 2 else Split.TEST
        update = {"traces": tuple(traces), "assessed": assessed, "split": split}
        chains.append(chain.model_copy(update=update))
    return chains


def auc_of(rows, role):
    """AUC on the test split of words and pairs of words, learnt on the training split."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline

    texts, labels = defaultdict(list), defaultdict(list)
    for row in rows:
        said = row.texts[("user", "assistant").index(role) :: 2]
        texts[row.facts.chain.split].append(" ".join(said))
        labels[row.facts.chain.split].append(row.facts.chain.label is Label.FAKE)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    model.fit(texts["train"], labels["train"])
    return roc_auc_score(labels["test"], model.decision_function(texts["test"]))


def question_aucs(chain_set, templates, seed):
    """AUC of the questions of each template that the chains fill, and of the answers that explain."""
    plan = plan_of(chain_set, templates, seed=seed)
    rows = defaultdict(list)
    for number, chain in enumerate(chain_set.read()):
        facts = gather(chain, chain_set.taxonomy)
        for row in render_chain(templates.templates, facts, plan.quotas_of(number), seed):
            rows[row.template.id].append(row)
    for template, found in rows.items():
        fake = np.mean([row.facts.chain.label is Label.FAKE for row in found])
        assert fake == pytest.approx(0.5, abs=0.01), template
    asked = {template: auc_of(found, "user") for template, found in rows.items()}
    return asked, auc_of(rows["reasoning/explain"], "assistant")


@pytest.mark.parametrize(("seeds", "tolerance"), [(1, 0.18), pytest.param(4, 0.1, marks=pytest.mark.slow)])
def test_the_questions_do_not_give_the_label_away(tmp_path, templates, seeds, tolerance):
    """A classifier that sees the questions alone stays near chance on every template, even on skewed annotation."""
    chain_set = make_set(tmp_path, skewed(240))
    found = [question_aucs(chain_set, templates, seed) for seed in range(seeds)]
    means = {template: np.mean([asked[template] for asked, _ in found]) for template in found[0][0]}
    assert len(means) > 0.9 * len(templates.templates)
    assert means == pytest.approx(dict.fromkeys(means, 0.5), abs=tolerance)
    assert np.mean(list(means.values())) == pytest.approx(0.5, abs=0.03)
    assert min(said for _, said in found) > 0.99  # the same classifier does find what is there to be found
