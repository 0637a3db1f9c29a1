/// One number for the database, written in the same transaction as the task's completion.
///
/// A value is unique per task by (context, region, reference, term, metric).
package struct MeasuredValue: Codable, Hashable, Sendable {
    /// Whose number it is; nil means the task's own context.
    package var context: TaskContext?
    /// Region name, e.g. `L_putamen`; nil for whole-image numbers.
    package var region: String?
    /// What susceptibility is referenced to: `none`, `whole_brain`, `csf`, or a region name.
    package var reference: String?
    /// Term of a statistical model, e.g. `age`, `group[HH]`.
    package var term: String?
    /// What was measured, e.g. `mean`, `volume`, `estimate`, `p`, `q`, `dice`.
    package var metric: String
    /// Nil is a missing value (not a number in the result).
    package var value: Double?
    /// Unit, e.g. `ppm`, `mm3`, `1`.
    package var unit: String

    package init(
        context: TaskContext? = nil, region: String? = nil, reference: String? = nil, term: String? = nil,
        metric: String, value: Double?, unit: String
    ) {
        self.context = context
        self.region = region
        self.reference = reference
        self.term = term
        self.metric = metric
        self.value = value.flatMap { $0.isFinite ? $0 : nil }
        self.unit = unit
    }
}
