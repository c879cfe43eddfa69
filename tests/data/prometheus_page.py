"""Reads a page of metrics with Prometheus' own Python client; prints each family's type, name and labels."""

import sys

from prometheus_client.parser import text_string_to_metric_families

with open(sys.argv[1]) as page:
    families = list(text_string_to_metric_families(page.read()))
for family in families:
    assert family.documentation, f"{family.name} has no help"
    assert family.samples, f"{family.name} has no values"
    labels = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
    if family.type == "histogram":
        by_labels = {}
        for sample in family.samples:
            key = tuple(sorted((name, text) for name, text in sample.labels.items() if name != "le"))
            by_labels.setdefault(key, []).append(sample)
        for samples in by_labels.values():
            buckets = [sample.value for sample in samples if sample.name.endswith("_bucket")]
            count = next(sample.value for sample in samples if sample.name.endswith("_count"))
            assert buckets == sorted(buckets) and buckets[-1] == count, f"{family.name}: {samples}"
    if family.type == "counter":
        assert all(sample.name.endswith("_total") for sample in family.samples), family.name
    print(family.type, family.name, " ".join(labels))
