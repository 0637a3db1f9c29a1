import Workflow

/// What one kind of task does: reads its staged inputs, computes, writes its outputs.
///
/// An implementation is a pure function of the request: the same inputs and parameters give the same bytes, on any
/// machine and for any number of threads. That is what makes its results cacheable.
protocol TaskImplementation: Sendable {
    /// Name in `TaskKindCatalog`.
    static var kind: String { get }

    /// - Throws: `TaskResult.Failure`, or any error whose description is one sentence for the operator.
    static func run(_ environment: TaskEnvironment) throws -> TaskResult
}
