// Chains of whole decisions.
package podautoscaler

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

type quantityValue = resource.Quantity

func (c *chain) newFlags() {
	c.flags = flagSet{Tolerance: "0.1", CPUInitializationPeriod: "120s", InitialReadinessDelay: "10s", DownscaleStabilization: pick(c.source, "300s", "300s", "60s", "0s")}
	if c.chance(10) {
		c.flags.Tolerance = pick(c.source, "0", "0.05", "0.3", "1")
	}
	if c.chance(10) {
		c.flags.CPUInitializationPeriod, c.flags.InitialReadinessDelay = "300s", "30s"
	}
	gates := map[string]bool{}
	if c.chance(25) {
		gates["HPAScaleToZero"] = true
	}
	if c.chance(5) {
		gates["HPAConfigurableTolerance"] = false
	}
	if c.chance(5) {
		gates["PodLevelResources"] = false
	}
	if len(gates) > 0 {
		c.flags.FeatureGates = gates
	}
}

func (c *chain) newSelector() {
	c.selector = "name=test-pod"
	if c.chance(12) {
		c.selector = pick(c.source, "", "name in (test-pod)", "name=test-pod,tier!=b", "name,!tier", "name==", "name=%%", "name in (", "name notin (x),name=test-pod", "nobody=here")
	}
	if c.chance(8) {
		c.others = []otherHPA{{testNamespace, "test-hpa-2", pick(c.source, "name=test-pod", "tier=a", "name=stranger", "cheddar=cheese", "!tier")}}
		if c.chance(20) {
			c.others[0].Namespace = "elsewhere"
		}
	}
}

func replicasAt(n int, t time.Time) entry {
	replicas := int32(n)
	return entry{Replicas: &replicas, Timestamp: t.Format(time.RFC3339Nano)}
}

func (c *chain) pastEvents() []entry {
	list := []entry{}
	for range pick(c.source, 0, 0, 1, 2, 4) {
		change := int32(c.between(1, 6))
		at := c.now.Add(-time.Duration(pick(c.source, 1, 14, 15, 16, 29, 30, 31, 60, 61, 119, 120, 121, 2000)) * time.Second)
		list = append(list, entry{ReplicaChange: &change, Timestamp: at.Format(time.RFC3339Nano), Outdated: c.chance(10)})
	}
	return list
}

func (c *chain) newHistory() {
	c.history = &history{ScaleUpEvents: []entry{}, ScaleDownEvents: []entry{}}
	if c.chance(40) {
		return
	}
	c.history.Recommendations = []entry{}
	for range c.IntN(6) {
		at := c.now.Add(-time.Duration(pick(c.source, 0, 1, 14, 15, 16, 30, 59, 60, 61, 119, 120, 299, 300, 301, 4000)) * time.Second)
		c.history.Recommendations = append(c.history.Recommendations, replicasAt(max(0, c.spec+c.between(-4, 4)), at))
	}
	if _, ok := c.hpa["spec"].(object)["behavior"]; ok || c.chance(20) {
		c.history.ScaleUpEvents, c.history.ScaleDownEvents = c.pastEvents(), c.pastEvents()
	}
}

func newChain(r *rand.Rand) *chain {
	c := &chain{source: source{r}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	if c.chance(50) {
		c.now = c.now.Add(time.Duration(c.IntN(3600000)) * time.Millisecond)
	}
	c.extreme = c.chance(15)
	c.newFlags()
	c.newHPA()
	c.newSelector()
	c.newHistory()
	for range min(c.spec, 30) {
		c.pods = append(c.pods, c.newPod())
	}
	return c
}

func (c *chain) faults() *faults {
	switch c.IntN(40) {
	case 0:
		return &faults{ScaleGet: "scale api down"}
	case 1:
		list := []string{}
		for range c.between(1, 6) {
			list = append(list, `Conflict: Operation cannot be fulfilled on deployments.apps "app": simulated conflict`)
		}
		if c.chance(30) {
			list = append(list, "error: something went wrong")
		}
		return &faults{ScaleUpdate: list}
	case 2:
		return &faults{ScaleUpdate: []string{"error: something went wrong"}}
	}
	return nil
}

func (c *chain) scaleObject() object {
	status := object{"replicas": c.statusCount}
	if c.selector != "" {
		status["selector"] = c.selector
	}
	return object{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": object{"name": "app", "namespace": testNamespace},
		"spec": object{"replicas": c.spec}, "status": status}
}

func (c *chain) newCase(name, source, level string) *testCase {
	hpa := object{}
	for k, v := range c.hpa {
		hpa[k] = v
	}
	hpa["status"] = c.status
	tc := &testCase{Name: name, Source: source, Origin: "observed", Level: level, Now: c.now.Format(time.RFC3339Nano), Flags: c.flags, OtherHPAs: c.others,
		Objects: []object{hpa, c.scaleObject()}}
	for _, p := range c.pods {
		tc.Objects = append(tc.Objects, p.object(c.now))
	}
	return tc
}

// What is computed from no replicas at all differs from machine to machine.
func (c *chain) unpinned() []string {
	if c.statusCount == 0 {
		return []string{"currentMetrics", "statusChanged"}
	}
	return nil
}

func conditionsIn(of any) []any {
	list, _ := (*decode[object](of))["conditions"].([]any)
	return list
}

// The controller names any of several pods, and the HPAs that share pods in any order; whether its words are new is chance then.
func (tc *testCase) unpinChance() {
	for _, o := range append(conditionsIn(tc.find("HorizontalPodAutoscaler")["status"]), conditionsIn(tc.Expect)...) {
		message := o.(object)["message"].(string)
		if strings.Contains(message, " Pod test-pod-") || strings.Contains(message, "multiple HPAs") {
			tc.Unpinned = append(tc.Unpinned, "statusChanged")
			return
		}
	}
}

// Some time later: pods came and went, and some changed.
func (c *chain) pass() {
	c.now = c.now.Add(time.Duration(pick(c.source, 15000, 15000, 30000, 60000, 300000, c.between(1, 100000))) * time.Millisecond)
	want := min(c.spec, 30)
	for len(c.pods) > want && len(c.pods) > 0 {
		c.pods = c.pods[1:]
	}
	for len(c.pods) < want {
		c.pods = append(c.pods, c.newPod())
	}
	for _, p := range c.pods {
		if c.chance(15) {
			c.disturb(p)
		}
		if c.chance(30) {
			p.level = c.level()
		}
		if p.missing && c.chance(50) {
			p.missing = false
		}
	}
	c.statusCount = c.spec
	if c.chance(10) {
		c.statusCount = max(0, c.spec+c.between(-2, 2))
	}
	if c.chance(3) {
		c.spec = c.between(0, 12)
	}
}

func episode(r *rand.Rand, seed uint64, steps int) []*testCase {
	c := newChain(r)
	cases := []*testCase{}
	for step := range steps {
		tc := c.newCase(fmt.Sprintf("seed-%d-%d", seed, step), fmt.Sprintf("seed %d step %d", seed, step), "reconcile")
		tc.History = c.history
		tc.Faults = c.faults()
		tc.Unpinned = c.unpinned()
		c.answers(tc)
		status, w, after := tc.reconcile()
		tc.unpinChance()
		cases = append(cases, tc)
		c.status = encode(status)
		c.history = after
		if w.scaledTo != nil {
			c.spec = int(*w.scaledTo)
		}
		c.pass()
	}
	return cases
}
