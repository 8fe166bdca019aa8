"""The objects of cluster.json, made in a real apiserver."""

import json

META = {"v1": "/api/v1"}
POD = {"containers": [{"name": "c", "image": "c"}]}


def template(labels):
    return {"metadata": {"labels": labels}, "spec": {**POD}}


def spec(kind, labels):
    """The least that the apiserver takes."""
    workload = {"selector": {"matchLabels": labels}, "template": template(labels)}
    return {
        "pods": POD,
        "services": {"ports": [{"port": 80}]},
        "deployments": workload,
        "statefulsets": {**workload, "serviceName": "none"},
        "jobs": {"template": {"metadata": {}, "spec": {**POD, "restartPolicy": "Never"}}},
        "ingresses": {"defaultBackend": {"service": {"name": "none", "port": {"number": 80}}}},
        "persistentvolumes": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/none"}},
    }.get(kind)


def crd(group, plural, versions, entry):
    def version(name):
        return {"name": name, "served": True, "storage": name == "v1",
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced" if entry["namespaced"] else "Cluster",
                     "names": {"plural": plural, "singular": entry["singular"], "kind": entry["kind"],
                               "shortNames": entry["shortNames"]},
                     "versions": [version(v) for v in versions]}}


def install_kinds(plane, cluster, wait):
    """Those that no apiserver has of itself."""
    kinds = {}
    for r in cluster["resources"]:
        group, _, version = r["groupVersion"].rpartition("/")
        if group.endswith(".example"):
            kinds.setdefault((group, r["name"]), ([], r))[0].append(version)
    for (group, plural), (versions, entry) in kinds.items():
        plane.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd(group, plural, versions, entry))
    for (group, plural), (versions, _) in kinds.items():
        wait(f"{plural} are served", lambda: all(plane.api("GET", f"/apis/{group}/{v}/{plural}")[0] == 200 for v in versions), 30)


def install(plane, folder, wait):
    cluster = json.loads((folder / "cluster.json").read_text())
    install_kinds(plane, cluster, wait)
    kinds = {(r["groupVersion"], r["name"]): r for r in cluster["resources"]}
    for thing in cluster["objects"]:
        version, plural, labels = thing["groupVersion"], thing["resource"], thing.get("labels", {})
        base = META.get(version, f"/apis/{version}")
        where = f"{base}/namespaces/{thing['namespace']}/{plural}" if "namespace" in thing else f"{base}/{plural}"
        meta = {k: thing[k] for k in ("name", "namespace") if k in thing}
        body = {"apiVersion": version, "kind": kinds[version, plural]["kind"], "metadata": {**meta, "labels": labels}}
        if spec(plural, labels):
            body["spec"] = spec(plural, labels)
        if plane.api("GET", f"{where}/{thing['name']}")[0] == 404:  # some namespaces are there, and each version shows all
            plane.must("POST", where, body)
        if "status" in thing:
            plane.must("PATCH", f"{where}/{thing['name']}/status", {"status": thing["status"]}, "application/merge-patch+json")
