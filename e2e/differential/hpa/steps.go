// Single steps of a decision, by the functions that the controller itself calls for them.
package podautoscaler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

func milliText(n int64) string { return fmt.Sprintf("%dm", n) }

func failed(err error) object { return object{"error": true, "errorMessage": err.Error()} }

// What the steps of limits and windows begin with.
func (c *chain) numbersCase(name, level string) (*testCase, *HorizontalController, int32, int32) {
	tc := c.newCase(name, name, level)
	current, desired := int32(c.between(0, 60)), int32(c.between(0, 120))
	tc.Input = object{"currentReplicas": current, "desiredReplicas": desired}
	c.spec, c.statusCount = int(current), int(current)
	tc.Objects = []object{tc.Objects[0], c.scaleObject()}
	tc.History = c.history
	return tc, tc.controller(&world{c: tc}), current, desired
}

func (tc *testCase) arguments(current, desired int32) (NormalizationArg, *autoscalingv2.HorizontalPodAutoscaler) {
	hpa := tc.hpa()
	low := int32(1)
	if hpa.Spec.MinReplicas != nil {
		low = *hpa.Spec.MinReplicas
	}
	args := NormalizationArg{Key: testKey, MinReplicas: low, MaxReplicas: hpa.Spec.MaxReplicas, CurrentReplicas: current, DesiredReplicas: desired}
	if hpa.Spec.Behavior != nil {
		args.ScaleUpBehavior, args.ScaleDownBehavior = hpa.Spec.Behavior.ScaleUp, hpa.Spec.Behavior.ScaleDown
	}
	return args, hpa
}

func (c *chain) limitStep(name string) *testCase {
	tc, a, current, desired := c.numbersCase(name, "limits")
	args, hpa := tc.arguments(current, desired)
	var replicas int32
	var reason, message string
	if hpa.Spec.Behavior != nil {
		tc.Level = "rate"
		replicas, reason, message = a.convertDesiredReplicasWithBehaviorRate(args)
	} else {
		replicas, reason, message = convertDesiredReplicasWithRules(current, desired, args.MinReplicas, args.MaxReplicas)
	}
	tc.Expect = object{"desiredReplicas": replicas, "reason": reason, "message": message}
	return tc
}

func (c *chain) policyLimitStep(name string) *testCase {
	tc, a, current, desired := c.numbersCase(name, "policyLimitUp")
	args, hpa := tc.arguments(current, desired)
	if hpa.Spec.Behavior == nil {
		return nil
	}
	if c.chance(50) {
		tc.Expect = object{"limit": calculateScaleUpLimitWithScalingRules(current, a.scaleUpEvents[testKey], a.scaleDownEvents[testKey], args.ScaleUpBehavior)}
		return tc
	}
	tc.Level = "policyLimitDown"
	tc.Expect = object{"limit": calculateScaleDownLimitWithBehaviors(current, a.scaleUpEvents[testKey], a.scaleDownEvents[testKey], args.ScaleDownBehavior)}
	return tc
}

func (c *chain) stabilizeStep(name string) *testCase {
	tc, a, current, desired := c.numbersCase(name, "stabilize")
	args, hpa := tc.arguments(current, desired)
	var replicas int32
	reason := ""
	if hpa.Spec.Behavior != nil {
		tc.Level = "stabilizeBehavior"
		a.maybeInitScaleDownStabilizationWindow(hpa)
		replicas, reason, _ = a.stabilizeRecommendationWithBehaviors(args)
	} else {
		replicas = a.stabilizeRecommendation(testKey, desired)
	}
	tc.Expect = object{"desiredReplicas": replicas, "historyAfter": encode(historyOf(a))}
	if reason != "" && replicas != desired {
		tc.Expect["reasonIfChanged"] = reason
	} else if replicas != desired {
		tc.Expect["reasonIfChanged"] = "ScaleDownStabilized"
	}
	return tc
}

func (c *chain) storeEventStep(name string) *testCase {
	tc, a, current, desired := c.numbersCase(name, "storeEvent")
	_, hpa := tc.arguments(current, desired)
	events := a.scaleDownEvents[testKey]
	if desired > current {
		events = a.scaleUpEvents[testKey]
	}
	change := getReplicasChangePerPeriod(60, events)
	a.storeScaleEvent(hpa.Spec.Behavior, testKey, current, desired)
	tc.Expect = object{"changeInLast60s": change, "historyAfter": encode(historyOf(a))}
	return tc
}

// One metric's raw proposal, as the replica calculator gives it.
func (c *chain) metricStep(name string) *testCase {
	tc := c.newCase(name, name, "metric")
	metrics, _ := c.hpa["spec"].(object)["metrics"].([]any)
	version := c.hpa["spec"].(object)["scaleTargetRef"].(object)["apiVersion"]
	if len(metrics) != 1 || c.selector == "" || version == "a/b/c" {
		return nil
	}
	c.answers(tc)
	tc.Unpinned = c.unpinned()
	w := &world{c: tc}
	a := tc.controller(w)
	scale := decode[autoscalingv1.Scale](tc.find("Scale"))
	selector, err := labels.Parse(scale.Status.Selector)
	if err != nil {
		return nil
	}
	tc.Expect = measure(a, tc.hpa(), scale, selector)
	tc.answered(w)
	if c.statusCount == 0 {
		tc.Unpinned = []string{"usage"}
	}
	return tc
}

func measure(a *HorizontalController, hpa *autoscalingv2.HorizontalPodAutoscaler, scale *autoscalingv1.Scale, selector labels.Selector) object {
	var status autoscalingv2.MetricStatus
	m := hpa.Spec.Metrics[0]
	replicas, _, timestamp, _, err := a.computeReplicasForMetric(context.Background(), hpa, m, scale.Spec.Replicas, scale.Status.Replicas, selector, &status)
	if err != nil {
		return failed(err)
	}
	expect := object{"error": false, "desiredReplicas": replicas}
	var current autoscalingv2.MetricValueStatus
	switch m.Type {
	case autoscalingv2.ResourceMetricSourceType:
		current = status.Resource.Current
	case autoscalingv2.ContainerResourceMetricSourceType:
		current = status.ContainerResource.Current
	case autoscalingv2.PodsMetricSourceType:
		current = status.Pods.Current
	case autoscalingv2.ObjectMetricSourceType:
		current = status.Object.Current
	case autoscalingv2.ExternalMetricSourceType:
		current = status.External.Current
	}
	switch {
	case current.AverageUtilization != nil:
		expect["averageUtilization"] = *current.AverageUtilization
		expect["averageValue"] = milliText(current.AverageValue.MilliValue())
		expect["metricTimestamp"] = timestamp.UTC().Format(time.RFC3339)
	case current.AverageValue != nil:
		expect["usage"] = milliText(current.AverageValue.MilliValue())
	default:
		expect["usage"] = milliText(current.Value.MilliValue())
	}
	return expect
}

func names(set sets.Set[string]) []string {
	list := []string{}
	for name := range set {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

// Metrics of the pods, and the objects of the pods alone.
func (c *chain) podsCase(name, level string) (*testCase, []*v1.Pod) {
	tc := c.newCase(name, name, level)
	tc.Objects = tc.Objects[2:]
	pods := []*v1.Pod{}
	for _, o := range tc.Objects {
		pods = append(pods, decode[v1.Pod](o))
	}
	return tc, pods
}

func (c *chain) groupPodsStep(name string) *testCase {
	tc, pods := c.podsCase(name, "groupPods")
	a := tc.controller(&world{c: tc})
	resource := pick(c.source, "cpu", "cpu", "memory")
	metrics, input := metricsclient.PodMetricsInfo{}, object{}
	for _, p := range pods {
		if c.chance(80) {
			m := metricsclient.PodMetric{Timestamp: mustTime(stamp(c.now.Add(-time.Duration(c.IntN(90)) * time.Second))), Value: int64(c.IntN(1000)), Window: time.Minute}
			metrics[p.Name] = m
			input[p.Name] = object{"timestamp": stamp(m.Timestamp), "value": milliText(m.Value), "window": "1m0s"}
		}
	}
	tc.Input = object{"resource": resource, "metrics": input}
	ready, unready, missing, ignored := groupPods(pods, metrics, v1.ResourceName(resource), a.replicaCalc.cpuInitializationPeriod, a.replicaCalc.delayOfInitialReadinessStatus)
	tc.Expect = object{"readyPodCount": ready, "unreadyPods": names(unready), "missingPods": names(missing), "ignoredPods": names(ignored)}
	return tc
}

func (c *chain) requestsStep(name string) *testCase {
	tc, pods := c.podsCase(name, "requests")
	tc.controller(&world{c: tc})
	resource, container := pick(c.source, "cpu", "memory"), pick(c.source, "", "", "app", "side", "proxy")
	tc.Input = object{"resource": resource, "container": container}
	requests, err := calculateRequests(pods, container, v1.ResourceName(resource))
	if err != nil {
		tc.Expect = failed(err)
		return tc
	}
	list := object{}
	for pod, milli := range requests {
		list[pod] = milliText(milli)
	}
	tc.Expect = object{"error": false, "requests": list}
	return tc
}

func (c *chain) ratioStep(name string) *testCase {
	tc := &testCase{Name: name, Source: name, Origin: "observed", Level: "ratio", Now: c.now.Format(time.RFC3339Nano), Flags: c.flags, Objects: []object{}}
	metrics, requests := metricsclient.PodMetricsInfo{}, map[string]int64{}
	usage, requested := object{}, object{}
	for i := range c.IntN(5) {
		pod := fmt.Sprintf("test-pod-%d", i)
		metrics[pod] = metricsclient.PodMetric{Value: int64(c.IntN(2000))}
		usage[pod] = milliText(metrics[pod].Value)
		if c.chance(85) {
			requests[pod] = int64(c.IntN(1000))
			requested[pod] = milliText(requests[pod])
		}
	}
	target := int32(pick(c.source, 1, 30, 50, 80, 100, 300))
	tc.Input = object{"metrics": usage, "requests": requested, "targetUtilization": target}
	ratio, utilization, average, err := metricsclient.GetResourceUtilizationRatio(metrics, requests, target)
	if err != nil {
		tc.Expect = failed(err)
	} else {
		tc.Expect = object{"error": false, "ratio": ratio, "averageUtilization": utilization, "averageValue": milliText(average)}
	}
	return tc
}

func (c *chain) quantityStep(name string) *testCase {
	tc := &testCase{Name: name, Source: name, Origin: "observed", Level: "quantity", Now: c.now.Format(time.RFC3339Nano), Flags: c.flags, Objects: []object{}}
	milli := pick(c.source, 0, 1, -1, 999, 1000, 1024, 1023999, 1024000, 1048576000, -1024000, -1500, 1<<40*1000, 1<<60, int64(c.IntN(1<<40)), int64(c.IntN(4096))*1024000, int64(c.IntN(1000))*1000000)
	resource := pick(c.source, "cpu", "memory", "custom")
	tc.Input = object{"milli": milliText(milli), "resource": resource}
	quantity := buildQuantity(v1.ResourceName(resource), milli)
	tc.Expect = object{"quantity": quantity.String()}
	return tc
}

// How an answer of a metrics API is read.
func (c *chain) metricsClientStep(name string) *testCase {
	tc := c.newCase(name, name, "metricsClient")
	tc.Objects = []object{}
	c.pods = append(c.pods, c.newPod())
	selector, _ := labels.Parse("name=test-pod")
	target := object{"type": "AverageValue", "averageValue": "1"}
	spec := object{"metric": object{"name": "qps"}, "target": target}
	w := &world{c: tc}
	a := tc.controller(w)
	client := a.replicaCalc.metricsClient
	var metrics metricsclient.PodMetricsInfo
	var first time.Time
	var err error
	values := object{}
	tc.Input = object{"container": "", "metric": "qps", "resource": ""}
	switch c.IntN(3) {
	case 0:
		resource, container := pick(c.source, "cpu", "memory"), pick(c.source, "", "app", "side", "absent")
		tc.Input = object{"container": container, "metric": "", "resource": resource}
		tc.podMetrics = c.podMetrics(1)
		metrics, first, err = client.GetResourceMetric(context.Background(), v1.ResourceName(resource), testNamespace, selector, container)
	case 1:
		tc.custom = []answer{{list: c.podValues(spec, 1)}}
		metrics, first, err = client.GetRawMetric("qps", testNamespace, selector, labels.Everything())
	default:
		tc.external = []answer{{list: c.externalValues(spec, 1)}}
		var list []int64
		list, first, err = client.GetExternalMetric("qps", testNamespace, labels.Everything())
		for i, n := range list {
			values[fmt.Sprintf("qps-val-%d", i)] = object{"timestamp": "2000-01-01T00:00:00Z", "value": milliText(n), "window": "0s"}
		}
	}
	tc.answered(w)
	if err != nil {
		tc.Expect = failed(err)
		return tc
	}
	for pod, m := range metrics {
		values[pod] = object{"timestamp": m.Timestamp.UTC().Format(time.RFC3339), "value": milliText(m.Value), "window": m.Window.String()}
	}
	tc.Expect = object{"error": false, "timestamp": first.UTC().Format(time.RFC3339), "values": values}
	return tc
}

func singleSteps(r *rand.Rand, seed uint64) []*testCase {
	cases := []*testCase{}
	for i, make := range []func(*chain, string) *testCase{(*chain).limitStep, (*chain).limitStep, (*chain).policyLimitStep, (*chain).stabilizeStep, (*chain).storeEventStep,
		(*chain).metricStep, (*chain).metricStep, (*chain).groupPodsStep, (*chain).requestsStep, (*chain).ratioStep, (*chain).quantityStep,
		(*chain).metricsClientStep} {
		if tc := make(newChain(r), fmt.Sprintf("steps-%d-%d", seed, i)); tc != nil {
			cases = append(cases, tc)
		}
	}
	return cases
}
