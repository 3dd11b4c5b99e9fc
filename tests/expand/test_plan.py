from collections import Counter, defaultdict

import numpy as np
import pytest
from conftest import make_chain, make_set, mixed

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.plan import SHARD_PAIRS, make_plan
from fakeinstruct.expand.render import render_chain


def plan_of(chains, templates, **settings):
    return make_plan(chains, templates, seed=settings.pop("seed", 0), rejects=Rejects(), **settings)


def test_every_stratum_of_every_split_is_balanced(chain_set, templates):
    plan = plan_of(chain_set, templates)
    for split in range(len(Split)):
        members = plan.supply.split == split
        fake = plan.quotas[members & plan.supply.fake].sum(0)
        real = plan.quotas[members & ~plan.supply.fake].sum(0)
        assert np.array_equal(fake, real)
    assert (plan.quotas <= plan.supply.available).all()


def test_the_budget_is_kept_and_nearly_spent(chain_set, templates):
    assert plan_of(chain_set, templates).pairs == 60 * 200
    for budget in (2, 1001, 5000):
        plan = plan_of(chain_set, templates, pairs=budget)
        assert budget - 3 <= plan.pairs <= budget


def test_weights_set_the_mixture(chain_set, templates):
    rows = {row.template: row.quota[0] for row in plan_of(chain_set, templates, pairs=4000).rows(templates.templates)}
    weights = {template.id: template.front.weight for template in templates.templates}
    for template, count in rows.items():
        assert count == pytest.approx(2000 * weights[template] / sum(weights.values()), abs=2)


def test_chains_share_evenly(chain_set, templates):
    per_chain = plan_of(chain_set, templates).quotas.sum(1)
    assert per_chain.min() > 35
    assert per_chain.max() < 85


def test_shards_are_consecutive_and_of_bounded_size(chain_set, templates, monkeypatch):
    monkeypatch.setattr("fakeinstruct.expand.plan.SHARD_PAIRS", 1000)
    plan = plan_of(chain_set, templates)
    assert plan.shards[0][0] == 0
    assert plan.shards[-1][1] == 200
    assert all(one[1] == other[0] for one, other in zip(plan.shards, plan.shards[1:], strict=False))
    sizes = [int(plan.quotas[start:end].sum()) for start, end in plan.shards]
    assert all(900 <= size <= 1100 for size in sizes[:-1])
    assert SHARD_PAIRS == 16_384


def test_the_fingerprint_follows_what_changes_the_bytes(chain_set, templates, tmp_path):
    plans = [
        plan_of(chain_set, templates),
        plan_of(chain_set, templates, seed=1),
        plan_of(chain_set, templates, pairs=500),
        plan_of(make_set(tmp_path / "other", mixed(20)), templates),
    ]
    assert len({plan.fingerprint for plan in plans}) == 4
    assert plan_of(chain_set, templates).fingerprint == plans[0].fingerprint


def test_one_label_alone_is_refused(tmp_path, templates):
    fakes = [make_chain(f"f{number}", Label.FAKE) for number in range(3)]
    with pytest.raises(FakeInstructError, match="fake images only.*Add chains of real images"):
        plan_of(make_set(tmp_path, fakes), templates)


def test_reals_without_traces_leave_the_tasks_that_need_them_empty(tmp_path, templates):
    chains = [make_chain(f"f{number}", Label.FAKE) for number in range(9)]
    chains += [make_chain(f"r{number}", Label.REAL, traces=0, judged=0) for number in range(9)]
    plan = plan_of(make_set(tmp_path, chains), templates)
    tasks = {template.id: template.front.task for template in templates.templates}
    assert {tasks[row.template] for row in plan.rows(templates.templates) if any(row.quota)} == {"verdict"}


def test_bad_chains_are_listed_and_planned_for_nothing(tmp_path, templates):
    chains = mixed(12)
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
    assert not plan.quotas[3:5].any()
    assert plan.quotas[5:].any()


def skewed(count):
    """Fakes whose traces are of other attributes than the reals', as published annotation has it."""
    chains = []
    for number in range(count):
        chain = make_chain(f"s{number:03d}", list(Label)[number % 2], traces=3, judged=9, seed=4)
        keys = [*(trace.attribute for trace in chain.traces), *chain.assessed]
        first = ("edge", "texture", "shape") if chain.label is Label.FAKE else ("clarity", "overall_tone", "texture")
        keys = [*first, *sorted(set(keys) - set(first))][:12]
        traces = tuple(
            trace.model_copy(update={"attribute": key}) for trace, key in zip(chain.traces, keys[:3], strict=True)
        )
        assessed = dict.fromkeys(keys[3:], "absent")
        chains.append(chain.model_copy(update={"traces": traces, "assessed": assessed, "split": None}))
    return [type(chain).model_validate(chain.model_dump()) for chain in chains]


def auc_of(texts, labels, groups):
    """Cross-validated AUC of a bag of words and pairs of words, no image of a test fold seen before."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    scores = cross_val_predict(model, texts, labels, groups=groups, cv=GroupKFold(4), method="decision_function")
    return roc_auc_score(labels, scores)


def test_the_questions_do_not_give_the_label_away(tmp_path, templates):
    """A classifier that sees the questions alone stays near chance on every template, even on skewed annotation."""
    chain_set = make_set(tmp_path, skewed(200))
    plan = plan_of(chain_set, templates)
    rows = defaultdict(list)
    for number, chain in enumerate(chain_set.read()):
        facts = gather(chain, chain_set.taxonomy)
        for row in render_chain(templates.templates, facts, plan.quotas_of(number), 0):
            assert not isinstance(row, RecordError)
            rows[row["template"]].append(row)
    for template, found in rows.items():
        labels = np.array([row["label"] == "fake" for row in found])
        assert abs(labels.mean() - 0.5) < 0.02, template
        groups = [row["chain"] for row in found]
        said = {
            role: [
                " ".join(m["content"][-1]["text"] for m in row["messages"] if m["role"] == role) for row in found
            ]
            for role in ("user", "assistant")
        }
        asked = auc_of(said["user"], labels, groups)
        print("AUC", template, round(asked, 3), len(found))
        if template == "reasoning/explain":  # the same classifier does find what is there to be found
            assert auc_of(said["assistant"], labels, groups) > 0.95
    assert Counter(len(found) > 0 for found in rows.values()) == {True: len(templates.templates)}
