// Random worlds: an HPA, its scale, pods, and what the metrics APIs say of them.
package podautoscaler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	v2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

type source struct{ *rand.Rand }

func (r source) chance(percent int) bool { return r.IntN(100) < percent }

// From low up to and with high.
func (r source) between(low, high int) int { return low + r.IntN(high-low+1) }

func pick[T any](r source, from ...T) T { return from[r.IntN(len(from))] }

// An episode: what stays the same from step to step, and what is carried over.
type chain struct {
	source
	hpa               object
	status            any
	spec, statusCount int
	selector          string
	pods              []*podState
	named             int
	now               time.Time
	history           *history
	flags             flagSet
	others            []otherHPA
	extreme           bool // numbers beyond all reason
}

type podState struct {
	name                 string
	labels               object
	started, transition  *time.Time
	ready                string
	phase                string
	deleted              bool
	containers, sidecars []object
	resources            object
	missing              bool
	level                float64
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// ---- the HPA

func (c *chain) quantity(scale float64) string {
	n := 1 + int64(c.ExpFloat64()*scale)
	switch c.IntN(8) {
	case 0:
		return fmt.Sprintf("%d", 1+n/1000)
	case 1:
		return fmt.Sprintf("%d.%d", n/1000, 1+c.IntN(9))
	case 2:
		return pick(c.source, "1", "10", "100m", "1k", "2500m", "1500m", "1m", "1M", "100u", "1e3", "0.5", "1Ki", "3G", "1500u")
	default:
		return fmt.Sprintf("%dm", n)
	}
}

func (c *chain) memory() string {
	return pick(c.source, "64Mi", "100Mi", "128Mi", "1Gi", "200M", "134217728", "1.5Gi", "1e8", "268435456500m")
}

func (c *chain) target(resource string, utilization bool) object {
	if utilization {
		return object{"type": "Utilization", "averageUtilization": pick(c.source, 1, 30, 50, 60, 70, 80, 100, 150, 300)}
	}
	if resource == "memory" {
		return object{"type": "AverageValue", "averageValue": c.memory()}
	}
	return object{"type": "AverageValue", "averageValue": c.quantity(1000)}
}

func (c *chain) identifier(name string) object {
	id := object{"name": name}
	switch c.IntN(6) {
	case 0:
		id["selector"] = object{"matchLabels": object{"queue": "q1"}}
	case 1:
		id["selector"] = object{}
	case 2:
		id["selector"] = object{"matchExpressions": []any{object{"key": "tier", "operator": "In", "values": []any{"a", "b"}}}}
	case 3:
		if c.chance(10) {
			id["selector"] = object{"matchExpressions": []any{object{"key": "tier", "operator": "Near", "values": []any{"a"}}}}
		}
	}
	return id
}

// What validation would mostly refuse, and the controller has an answer for all the same.
func (c *chain) spoil(target object) {
	switch c.IntN(8) {
	case 0:
		target["type"] = pick(c.source, "Value", "AverageValue", "Utilization")
	case 1:
		target["averageValue"] = c.quantity(1000)
	case 2:
		target["value"] = c.quantity(1000)
	case 3:
		target["averageUtilization"] = 50
	case 4:
		delete(target, "value")
	case 5:
		delete(target, "averageUtilization")
	}
}

func (c *chain) metric(i int) object {
	m := c.soundMetric(i)
	kind := m["type"].(string)
	if c.chance(4) && kind != "Pods" {
		c.spoil(m[fieldOf(kind)].(object)["target"].(object))
	}
	if c.chance(1) {
		m["type"] = "Unheard"
	}
	return m
}

// The field that a metric of this type has its particulars in.
func fieldOf(kind string) string { return strings.ToLower(kind[:1]) + kind[1:] }

func (c *chain) soundMetric(i int) object {
	name := fmt.Sprintf("metric_%d", i)
	switch pick(c.source, "resource", "resource", "container", "pods", "object", "external", "external") {
	case "resource":
		resource := pick(c.source, "cpu", "cpu", "cpu", "memory", "ephemeral-storage")
		return object{"type": "Resource", "resource": object{"name": resource, "target": c.target(resource, c.chance(60))}}
	case "container":
		resource := pick(c.source, "cpu", "cpu", "memory")
		return object{"type": "ContainerResource", "containerResource": object{"name": resource,
			"container": pick(c.source, "app", "app", "app", "side", "proxy", "absent"), "target": c.target(resource, c.chance(60))}}
	case "pods":
		return object{"type": "Pods", "pods": object{"metric": c.identifier(name), "target": object{"type": "AverageValue", "averageValue": c.quantity(20000)}}}
	case "object":
		o := object{"metric": c.identifier(name), "describedObject": pick(c.source,
			object{"apiVersion": "v1", "kind": "Service", "name": "front"}, object{"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
			object{"apiVersion": "v1", "kind": "Namespace", "name": "other"}, object{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "main"})}
		o["target"] = c.total()
		return object{"type": "Object", "object": o}
	default:
		return object{"type": "External", "external": object{"metric": c.identifier(name), "target": c.total()}}
	}
}

func (c *chain) total() object {
	if c.chance(50) {
		return object{"type": "Value", "value": c.quantity(20000)}
	}
	return object{"type": "AverageValue", "averageValue": c.quantity(20000)}
}

func (c *chain) rules(down bool) object {
	rules := object{}
	if c.chance(60) {
		rules["stabilizationWindowSeconds"] = pick(c.source, 0, 0, 15, 30, 60, 120, 300, 3600)
	}
	if c.chance(50) {
		rules["selectPolicy"] = pick(c.source, "Max", "Max", "Min", "Min", "Disabled")
	}
	if c.chance(70) {
		policies := []any{}
		for range c.between(1, 3) {
			kind := pick(c.source, "Pods", "Percent")
			value := c.between(1, 10)
			if kind == "Percent" {
				value = pick(c.source, 1, 10, 33, 50, 80, 90, 99, 100, 150, 200, 1000)
			}
			policies = append(policies, object{"type": kind, "value": value, "periodSeconds": pick(c.source, 1, 15, 30, 60, 120, 1800)})
		}
		rules["policies"] = policies
	}
	if c.chance(25) {
		rules["tolerance"] = pick(c.source, "0", "50m", "100m", "200m", "0.05", "1", "2", "1n", "333333333n")
	}
	return rules
}

func (c *chain) newHPA() {
	low := pick(c.source, 1, 1, 1, 2, 3)
	if c.chance(15) {
		low = 0
	}
	high := low + c.between(0, 20)
	if high == 0 {
		high = 1
	}
	if c.extreme {
		high = pick(c.source, high, math.MaxInt32, 1000000)
	}
	metrics := []any{}
	for i := range pick(c.source, 1, 1, 1, 1, 2, 2, 3, 4) {
		metrics = append(metrics, c.metric(i))
	}
	target := pick(c.source, object{"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}, object{"apiVersion": "v1", "kind": "ReplicationController", "name": "app"},
		object{"apiVersion": "example.com/v1", "kind": "Widget", "name": "app"}, object{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "app"})
	if c.chance(1) {
		target["apiVersion"] = "a/b/c"
	}
	spec := object{"scaleTargetRef": target, "minReplicas": low, "maxReplicas": high, "metrics": metrics}
	if c.chance(5) {
		delete(spec, "minReplicas")
	}
	if c.chance(3) {
		delete(spec, "metrics")
	}
	if c.chance(50) {
		behavior := object{}
		if c.chance(70) {
			behavior["scaleUp"] = c.rules(false)
		}
		if c.chance(70) {
			behavior["scaleDown"] = c.rules(true)
		}
		spec["behavior"] = behavior
	}
	c.hpa = object{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": object{"name": testName, "namespace": testNamespace}, "spec": spec}
	c.spec = c.between(low, min(high, low+12))
	switch c.IntN(20) {
	case 0:
		c.spec = 0
	case 1:
		c.spec = min(high, 30) + c.between(1, 5)
	case 2:
		c.spec = max(0, low-1)
	}
	c.statusCount = c.spec
	status := object{"currentReplicas": c.spec, "desiredReplicas": c.spec}
	if c.chance(30) {
		status = object{"currentReplicas": nil, "desiredReplicas": 0}
		delete(status, "currentReplicas")
	}
	if c.flags.FeatureGates["HPAScaleToZero"] || c.chance(5) {
		if c.chance(60) {
			status["conditions"] = []any{object{"type": "ScaledToZero", "status": pick(c.source, "True", "True", "False"), "reason": "ScaledToZero",
				"message": "the HPA controller scaled the workload to zero", "lastTransitionTime": stamp(c.now.Add(-time.Hour))}}
			if c.chance(50) {
				c.spec, c.statusCount = 0, 0
			}
		}
	}
	if c.chance(10) {
		status["observedGeneration"] = 3
	}
	c.status = status
}

// ---- pods

func (c *chain) requests() object {
	r := object{}
	if !c.chance(3) {
		r["cpu"] = pick(c.source, "100m", "200m", "250m", "500m", "1", "1500m", "0.1", "50m")
		if c.chance(1) {
			r["cpu"] = pick(c.source, "0", "1m", "100u")
		}
	}
	if !c.chance(5) {
		r["memory"] = c.memory()
	}
	return object{"requests": r}
}

func (c *chain) newPod() *podState {
	p := &podState{name: fmt.Sprintf("test-pod-%d", c.named), labels: object{"name": "test-pod"}, phase: "Running", ready: "True", level: c.level()}
	c.named++
	started := c.now.Add(-time.Duration(c.between(0, 1800)) * time.Second)
	transition := started.Add(time.Duration(c.between(0, 60)) * time.Second)
	p.started, p.transition = &started, &transition
	p.containers = []object{{"name": "app", "resources": c.requests()}}
	if c.chance(40) {
		p.containers = append(p.containers, object{"name": "side", "resources": c.requests()})
	}
	if c.chance(15) {
		p.sidecars = append(p.sidecars, object{"name": "proxy", "restartPolicy": "Always", "resources": c.requests()})
	}
	if c.chance(10) {
		p.sidecars = append(p.sidecars, object{"name": "setup", "resources": c.requests()})
	}
	if c.chance(6) {
		p.resources = c.requests()
	}
	c.disturb(p)
	return p
}

func (c *chain) disturb(p *podState) {
	switch c.IntN(40) {
	case 0:
		p.phase = "Pending"
		p.ready = pick(c.source, "", "False")
	case 1:
		p.phase = pick(c.source, "Failed", "Succeeded", "Unknown")
	case 2:
		p.deleted = true
	case 3, 4, 5:
		p.ready = pick(c.source, "False", "False", "Unknown")
		if p.started != nil && c.chance(60) {
			t := p.started.Add(time.Duration(pick(c.source, 0, 1, 9, 10, 11, 30, 100)) * time.Second)
			p.transition = &t
		}
	case 6:
		p.ready = ""
	case 7:
		p.started = nil
	case 8, 9:
		p.missing = true
	case 10, 11, 12:
		started := c.now.Add(-time.Duration(pick(c.source, 0, 5, 30, 60, 119, 120, 121, 300)) * time.Second)
		transition := c.now.Add(-time.Duration(pick(c.source, 0, 5, 30, 59, 60, 61, 100)) * time.Second)
		p.started, p.transition = &started, &transition
	case 13:
		p.labels = object{"name": "test-pod", "tier": pick(c.source, "a", "b", "c")}
	case 14:
		p.labels = object{"name": "stranger"}
	}
}

func (p *podState) object(now time.Time) object {
	spec, status := object{"containers": p.containers}, object{"phase": p.phase}
	if p.sidecars != nil {
		spec["initContainers"] = p.sidecars
	}
	if p.resources != nil {
		spec["resources"] = p.resources
	}
	if p.ready != "" {
		condition := object{"type": "Ready", "status": p.ready}
		if p.transition != nil {
			condition["lastTransitionTime"] = stamp(*p.transition)
		}
		status["conditions"] = []any{object{"type": "PodScheduled", "status": "True"}, condition}
	}
	if p.started != nil {
		status["startTime"] = stamp(*p.started)
	}
	meta := object{"name": p.name, "namespace": testNamespace, "labels": p.labels}
	if p.deleted {
		meta["deletionTimestamp"] = stamp(now)
	}
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}
}

// ---- metrics

func (c *chain) level() float64 {
	return pick(c.source, 0.01, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1, 1.1, 1.3, 2, 5) * (0.95 + 0.1*c.Float64())
}

// A value in milli-units, as the recorded ones are written. Where a quantity's milli-units do not fit 64 bits, or a negative one has
// more than 18 digits, apimachinery's own MilliValue overflows; trimtab saturates, so such are left out.
func (c *chain) milli(n float64) string {
	if c.extreme && c.chance(40) {
		return pick(c.source, "0m", "-5m", "-1000000m", "9223372036854775807m", "4611686018427387904m", "-922337203685477580m", "-1m", "-1", "-1.5", "1m", "2147483647000m",
			"2147483648000m", "4294967296000m", "92233720368547758m", "922337203685477580m", "9223372036854775m", "1.5", "100u", "2Ki", "1e3", "0.0001")
	}
	return fmt.Sprintf("%dm", int64(n))
}

func milliOf(text string) float64 {
	q := decode[struct{ Q *quantityValue }](object{"Q": text})
	return float64(q.Q.MilliValue())
}

func requestOf(containers []object, name, resource string) float64 {
	sum := 0.0
	for _, container := range containers {
		r := container["resources"].(object)["requests"].(object)
		if text, ok := r[resource].(string); ok && (name == "" || container["name"] == name) {
			sum += milliOf(text)
		}
	}
	return sum
}

func (c *chain) podMetrics(load float64) []object {
	list := []object{}
	for _, p := range c.pods {
		if p.missing || p.phase == "Pending" && c.chance(80) || p.labels["name"] != "test-pod" {
			continue
		}
		containers := []any{}
		for _, container := range append(append([]object{}, p.containers...), p.sidecars...) {
			if container["name"] == "setup" || c.chance(1) {
				continue
			}
			usage := object{}
			for _, resource := range []string{"cpu", "memory"} {
				if !c.chance(1) {
					request := requestOf([]object{container}, "", resource)
					usage[resource] = c.milli(request * 0.5 * load * p.level)
				}
			}
			containers = append(containers, object{"name": container["name"], "usage": usage})
		}
		age := pick(c.source, 0, 0, 5, 10, 15, 30, 60, 90)
		list = append(list, object{"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
			"metadata":  object{"name": p.name, "namespace": testNamespace, "labels": p.labels},
			"timestamp": stamp(c.now.Add(-time.Duration(age) * time.Second)), "window": pick(c.source, "30s", "1m0s", "15s", "0s", "10.5s"), "containers": containers})
	}
	if c.chance(3) && len(list) > 0 {
		extra := decode[object](list[0])
		(*extra)["metadata"].(object)["name"] = "gone"
		list = append(list, *extra)
	}
	return list
}

func (c *chain) customValue(described object, name string, value string) object {
	v := object{"describedObject": described, "metric": object{"name": name}, "timestamp": stamp(c.now), "value": value}
	if c.chance(30) {
		v["windowSeconds"] = pick(c.source, 0, 30, 60)
	}
	return v
}

func (c *chain) podValues(spec object, load float64) object {
	name := spec["metric"].(object)["name"].(string)
	target := milliOf(spec["target"].(object)["averageValue"].(string))
	items := []object{}
	selector, err := labels.Parse(c.selector)
	for _, p := range c.pods {
		// The API hands out what was selected.
		selected := err != nil || selector.Matches(labels.Set(*decode[map[string]string](p.labels)))
		if !p.missing && p.phase != "Pending" && selected && !c.chance(3) {
			items = append(items, c.customValue(object{"apiVersion": "v1", "kind": "Pod", "name": p.name, "namespace": testNamespace}, name, c.milli(target*load*p.level)))
		}
	}
	if c.chance(5) {
		items = append(items, c.customValue(object{"apiVersion": "v1", "kind": "Pod", "name": "gone", "namespace": testNamespace}, name, c.milli(target)))
	}
	if c.chance(4) && len(items) > 1 {
		items = append(items, c.customValue(items[0]["describedObject"].(object), name, c.milli(target)))
	}
	if c.chance(2) {
		items = []object{}
	}
	return object{"apiVersion": "custom.metrics.k8s.io/v1beta2", "kind": "MetricValueList", "metadata": object{}, "items": items}
}

// What the total is near, so that tolerance matters.
func (c *chain) totalOf(target object, load float64) float64 {
	if text, ok := target["averageValue"].(string); ok {
		return milliOf(text) * float64(max(c.statusCount, 1)) * load
	}
	if text, ok := target["value"].(string); ok {
		return milliOf(text) * load
	}
	return 1000
}

func (c *chain) objectValue(spec object, load float64) object {
	name := spec["metric"].(object)["name"].(string)
	items := []object{c.customValue(spec["describedObject"].(object), name, c.milli(c.totalOf(spec["target"].(object), load)))}
	return object{"apiVersion": "custom.metrics.k8s.io/v1beta2", "kind": "MetricValueList", "metadata": object{}, "items": items}
}

func (c *chain) externalValues(spec object, load float64) object {
	name := spec["metric"].(object)["name"].(string)
	items := []object{}
	n := pick(c.source, 1, 1, 2, 3)
	for range n {
		items = append(items, object{"metricName": name, "metricLabels": object{}, "timestamp": stamp(c.now), "value": c.milli(c.totalOf(spec["target"].(object), load) / float64(n))})
	}
	if c.chance(3) {
		items = []object{}
	}
	return object{"apiVersion": "external.metrics.k8s.io/v1beta1", "kind": "ExternalMetricValueList", "metadata": object{}, "items": items}
}

// A metric selector that cannot be converted keeps its metric from asking at all, as does a target that does not fit.
func asks(kind string, spec object) bool {
	target := spec["target"].(object)
	_, value := target["value"]
	_, average := target["averageValue"]
	if kind == "External" && !value && !average {
		return false
	}
	if kind == "Object" && !(target["type"] == "Value" && value) && !(target["type"] == "AverageValue" && average) {
		return false
	}
	selector, ok := spec["metric"].(object)["selector"]
	if !ok {
		return true
	}
	_, err := metav1.LabelSelectorAsSelector(decode[metav1.LabelSelector](selector))
	return err == nil
}

func (c *chain) answers(tc *testCase) {
	load := c.level()
	tc.podMetrics = c.podMetrics(load)
	if c.chance(2) {
		tc.podMetrics = nil
	}
	metrics, _ := c.hpa["spec"].(object)["metrics"].([]any)
	for _, m := range metrics {
		metric := m.(object)
		kind := metric["type"].(string)
		spec, known := metric[fieldOf(kind)].(object)
		if !known {
			continue
		}
		if c.chance(20) {
			load = c.level()
		}
		var a answer
		switch v2.MetricSourceType(kind) {
		case v2.PodsMetricSourceType:
			a.list = c.podValues(spec, load)
		case v2.ObjectMetricSourceType:
			a.list = c.objectValue(spec, load)
		case v2.ExternalMetricSourceType:
			a.list = c.externalValues(spec, load)
		default:
			target := spec["target"].(object)
			if target["averageValue"] == nil && target["averageUtilization"] == nil {
				continue
			}
			text := ""
			if c.chance(4) {
				text = "metrics api down"
			}
			tc.resource = append(tc.resource, text)
			continue
		}
		if c.chance(6) {
			a = answer{error: pick(c.source, "custom metrics api down", "the server could not find the metric")}
		}
		if !asks(kind, spec) {
			continue
		}
		if kind == "External" {
			tc.external = append(tc.external, a)
		} else {
			tc.custom = append(tc.custom, a)
		}
	}
}
