import Synchronization

/// Since when this coordinator has been there without a gap, so that a worker could have been heard.
///
/// After a start, an outage of the database or a machine that slept, sessions are found expired that nobody could keep
/// alive: their workers may be well, and their tasks are not to blame.
final class Presence: Sendable {
    private let since = Mutex(ContinuousClock.now)

    /// There was a gap until now.
    func returned() { since.withLock { $0 = .now } }

    /// For how long there has been none. The clock goes on while the machine sleeps, as the database's does.
    var seconds: Double { since.withLock { $0.duration(to: .now) } / .seconds(1) }
}
