import Foundation
import Testing

@testable import Coordinator

@Suite struct HTTPReadyTasksTests {
    private func ids(_ count: Int) -> [UUID] { (0..<count).map { _ in UUID() } }

    @Test func aReleaseWakesOneOfEveryGroupInOrderOfArrival() {
        var state = ReadyTasksState<Int>()
        for (number, group) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            #expect(state.enter(UUID(), group: group, since: 0, number) == nil)
        }
        #expect(state.wakeAllGroups().sorted() == [1, 3])
        #expect(state.waiting == 2)
        #expect(state.wake(group: "a", count: 2) == [2, 4])
        #expect(state.wake(group: "a", count: 2).isEmpty)
        #expect(state.waiting == 0)
    }

    @Test func aReleaseBetweenAskingAndWaitingIsNotMissed() {
        var state = ReadyTasksState<Int>()
        let seen = state.generation
        #expect(state.wakeAllGroups().isEmpty)
        #expect(state.enter(UUID(), group: "a", since: seen, 1) == true)
        #expect(state.enter(UUID(), group: "a", since: state.generation, 1) == nil)
    }

    @Test func leavingAndClosing() {
        var state = ReadyTasksState<Int>()
        let (first, second) = (UUID(), UUID())
        #expect(state.enter(first, group: "a", since: 0, 1) == nil)
        #expect(state.enter(second, group: "a", since: 0, 2) == nil)
        #expect(state.leave(first, group: "a") == 1)
        #expect(state.leave(first, group: "a") == nil)
        #expect(state.close() == [2])
        #expect(state.enter(UUID(), group: "a", since: state.generation, 3) == false)
    }

    @Test func waitingEndsByReleaseByTimeAndByClosing() async throws {
        let ready = ReadyTasks()
        #expect(await ready.wait(group: "a", since: ready.generation, timeout: .milliseconds(1)) == false)
        async let woken = ready.wait(group: "a", since: ready.generation, timeout: .seconds(60))
        try await untilWaiting(ready)
        ready.released()
        #expect(await woken)
        async let closed = ready.wait(group: "a", since: ready.generation, timeout: .seconds(60))
        try await untilWaiting(ready)
        ready.close()
        #expect(await closed == false)
        #expect(ready.waiting == 0)
    }

    @Test func aCancelledWaitLeavesTheQueue() async throws {
        let ready = ReadyTasks()
        // Unstructured, because it is to be cancelled alone; awaited below.
        let task = Task { await ready.wait(group: "a", since: ready.generation, timeout: .seconds(60)) }
        try await untilWaiting(ready)
        task.cancel()
        #expect(await task.value == false)
        #expect(ready.waiting == 0)
    }
}
