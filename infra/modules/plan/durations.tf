# Durations as people write them (500ms, 90s, 10m), in seconds; numbers are
# seconds already. A flat map, as the language has no functions of one's own.

locals {
  _units = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }

  _duration = "^([0-9]+(?:\\.[0-9]+)?)(ms|s|m|h|d)$"

  _durations = merge([
    for name, row in local._table : {
      "${name}/ack_deadline" = try(tostring(row.ack_deadline), null)
      "${name}/budget"       = try(tostring(row.budget), null)
      "${name}/retry.max"    = try(tostring(row.retry.max), null)
      "${name}/retry.min"    = try(tostring(row.retry.min), null)
      "${name}/timeout"      = try(tostring(row.timeout), null)
    }
  ]...)

  _seconds = {
    for key, text in local._durations : key => try(
      tonumber(text),
      tonumber(regex(local._duration, text)[0])
      * local._units[regex(local._duration, text)[1]],
      null,
    )
  }
}
