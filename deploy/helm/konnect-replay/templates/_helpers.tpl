{{- define "konnect-replay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "konnect-replay.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "konnect-replay.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "konnect-replay.emulatorName" -}}
{{- include "konnect-replay.fullname" . }}-emulator
{{- end -}}

{{- define "konnect-replay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "konnect-replay.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* What selects the pods of one component. Called with (dict "ctx" $ "component" "operator"). Never changes. */ -}}
{{- define "konnect-replay.selector" -}}
app.kubernetes.io/name: {{ include "konnect-replay.name" .ctx }}
app.kubernetes.io/instance: {{ .ctx.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- /* Labels of pods: nothing that moves with the chart's version, which would start them anew for nothing. */ -}}
{{- define "konnect-replay.podLabels" -}}
{{ include "konnect-replay.selector" . }}
{{- with .ctx.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "konnect-replay.labels" -}}
{{ include "konnect-replay.selector" . }}
app.kubernetes.io/part-of: konnect-replay
app.kubernetes.io/version: {{ .ctx.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .ctx.Chart.Name .ctx.Chart.Version | replace "+" "_" }}
{{- with .ctx.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Name, namespace and labels of an object of the operator. Called with (dict "ctx" $ "name" "…"). */ -}}
{{- define "konnect-replay.metadata" -}}
name: {{ .name | default (include "konnect-replay.fullname" .ctx) }}
namespace: {{ .namespace | default .ctx.Release.Namespace }}
labels:
  {{- include "konnect-replay.labels" (dict "ctx" .ctx "component" (.component | default "operator")) | nindent 2 }}
{{- end -}}

{{- define "konnect-replay.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .ctx.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* What the operator does with objects that users make: exactly what it uses. The one place of these rules in this chart. */ -}}
{{- define "konnect-replay.rules" -}}
- apiGroups: [konnect-replay.dev]
  resources: [auditlogreplayjobs]
  # delete: objects that have finished, spec.ttlSecondsAfterFinished ago.
  verbs: [get, list, watch, delete]
- apiGroups: [konnect-replay.dev]
  resources: [auditlogreplayjobs/status]
  verbs: [patch]
# By name only, when a token is needed: no list, no watch.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
# Events have names of their own and are never changed: no get, no patch.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "konnect-replay.subjects" -}}
- kind: ServiceAccount
  name: {{ include "konnect-replay.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /* The Secret or ConfigMap with certificates to trust, as the source of a projected volume; nothing if there is none. */ -}}
{{- define "konnect-replay.caSource" -}}
{{- $ca := .Values.konnect.caBundle -}}
{{- if .Values.emulator.enabled -}}
secret:
  name: {{ include "konnect-replay.emulatorName" . }}-tls
  items: [{key: ca.crt, path: ca.crt}]
{{- else if $ca.configMap -}}
configMap:
  name: {{ $ca.configMap }}
  items: [{key: {{ $ca.key }}, path: ca.crt}]
{{- else if $ca.secret -}}
secret:
  name: {{ $ca.secret }}
  items: [{key: {{ $ca.key }}, path: ca.crt}]
{{- end -}}
{{- end -}}

{{- /* Flags of `konnect-replay run`. What is empty is left to the program's own default. */ -}}
{{- define "konnect-replay.args" -}}
{{- $k := .Values.konnect -}}
- run
- --lease-name={{ include "konnect-replay.fullname" . }}
{{- if not .Values.leaderElection.enabled }}
- --leader-elect=false
{{- end }}
{{- if .Values.emulator.enabled }}
- --konnect-url=https://{{ include "konnect-replay.emulatorName" . }}.{{ .Release.Namespace }}.svc:8787/{region}
{{- else if $k.url }}
- --konnect-url={{ $k.url }}
{{- end }}
{{- range $flag, $value := dict "regions" $k.regions "token-prefixes" $k.tokenPrefixes "watch-namespaces" .Values.watchNamespaces }}
{{- if $value }}
- --{{ $flag }}={{ join "," $value }}
{{- end }}
{{- end }}
{{- range $flag, $value := dict "serialize" $k.serialize "poll-interval" $k.pollInterval "retry-interval" $k.retryInterval "retention" $k.retention "ingest-delay" $k.ingestDelay "get-lag" $k.getLag "backoff-base" $k.backoffBase "request-timeout" $k.requestTimeout "concurrency" .Values.concurrency "log-format" .Values.log.format }}
{{- if $value }}
- --{{ $flag }}={{ $value }}
{{- end }}
{{- end }}
{{- if include "konnect-replay.caSource" . }}
- --ca-bundle=/etc/konnect-replay/ca/ca.crt
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Values that contradict each other end the rendering with a sentence that says what to do. */ -}}
{{- define "konnect-replay.check" -}}
{{- $k := .Values.konnect -}}
{{- if and (not .Values.leaderElection.enabled) (gt (int .Values.replicaCount) 1) -}}
{{- fail "leaderElection.enabled is false, so there may be one replica only: set replicaCount to 1, or leave the election on" -}}
{{- end -}}
{{- if and $k.caBundle.configMap $k.caBundle.secret -}}
{{- fail "konnect.caBundle names a ConfigMap and a Secret: name one of them" -}}
{{- end -}}
{{- if and .Values.emulator.enabled (or $k.url $k.caBundle.configMap $k.caBundle.secret) -}}
{{- fail "emulator.enabled takes the place of Konnect: leave konnect.url and konnect.caBundle empty, or turn it off" -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled -}}
{{- fail "monitoring.serviceMonitor and monitoring.podMonitor would count everything twice: enable one of them" -}}
{{- end -}}
{{- end -}}
