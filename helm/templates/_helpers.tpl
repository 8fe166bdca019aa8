{{- define "trimtab.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "trimtab.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "trimtab.name" .) .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "trimtab.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "trimtab.selector" -}}
app.kubernetes.io/name: {{ include "trimtab.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "trimtab.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "trimtab.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "trimtab.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "trimtab.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* Roles are the same everywhere; with `namespaces` they are bound in those only. The release's namespace is in the
       name of what belongs to the whole cluster, so that two releases do not meet. */ -}}
{{- define "trimtab.clusterName" -}}
{{ printf "%s:%s" .Release.Namespace (include "trimtab.fullname" .) }}
{{- end }}

{{- /* The APIServices that this release has, separated by commas: version.group. An operator that follows some namespaces
       only cannot answer for the cluster. */ -}}
{{- define "trimtab.apiServices" -}}
{{- $names := list -}}
{{- with .Values.metrics.apiServices -}}
{{- if not $.Values.namespaces -}}
{{- if .custom }}{{ $names = concat $names (list "v1beta1.custom.metrics.k8s.io" "v1beta2.custom.metrics.k8s.io") }}{{ end -}}
{{- if .external }}{{ $names = append $names "v1beta1.external.metrics.k8s.io" }}{{ end -}}
{{- if and .resource $.Values.kubelets.enabled }}{{ $names = append $names "v1beta1.metrics.k8s.io" }}{{ end -}}
{{- end -}}
{{- end -}}
{{ join "," $names }}
{{- end }}

{{- /* The ConfigMap with the rules, or nothing. */ -}}
{{- define "trimtab.rules" -}}
{{- if .Values.metrics.existingRules -}}
{{ .Values.metrics.existingRules }}
{{- else if .Values.metrics.rules -}}
{{ include "trimtab.fullname" . }}-rules
{{- end }}
{{- end }}
