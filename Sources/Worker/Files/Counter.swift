import Synchronization

/// A number that several tasks add to.
final class Counter: Sendable {
    private let total = Atomic<Int64>(0)
    func add(_ amount: Int64) { total.wrappingAdd(amount, ordering: .relaxed) }
    var value: Int64 { total.load(ordering: .relaxed) }
}
