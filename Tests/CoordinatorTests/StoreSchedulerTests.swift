import Foundation
import Testing

@testable import Coordinator

@Suite("Claim schedule")
struct StoreSchedulerTests {
    private let lanes: [Int32: Lane] = [
        1: Lane(kind: "a", kindVersion: 1, cores: 1, memoryMiB: 512, command: ""),
        2: Lane(kind: "b", kindVersion: 1, cores: 4, memoryMiB: 4096, command: ""),
        3: Lane(kind: "command", kindVersion: 1, cores: 1, memoryMiB: 512, command: "fsl"),
    ]
    private let able = WorkerCapability(kinds: ["a": 1, "b": 1, "command": 1], commands: ["fsl"])
    private let plenty = ClaimAllowance(cores: 64, memoryMiB: 65_536, tasks: 8)

    private func group(_ lane: Int32, _ run: Int64, _ priority: Int16 = 0) -> ClaimGroup {
        ClaimGroup(lane: lane, run: run, priority: priority)
    }

    @Test func deeperTasksOfARunComeFirst() {
        var schedule = ClaimSchedule()
        schedule.swept([(group(1, 1, 0), 1), (group(2, 1, -4), 1), (group(3, 1, -2), 1)], lanes: lanes)
        var tried: Set<ClaimGroup> = []
        var order: [Int32] = []
        while let offer = schedule.offer(able, plenty, except: tried) {
            order.append(offer.group.lane)
            tried.insert(offer.group)
        }
        #expect(order == [2, 3, 1])
    }

    @Test func onlyWhatFitsIsOffered() {
        var schedule = ClaimSchedule()
        schedule.swept([(group(1, 1), 1), (group(2, 1, -9), 1), (group(3, 1, -8), 1)], lanes: lanes)
        let small = ClaimAllowance(cores: 3, memoryMiB: 1100, tasks: 8)
        let plain = WorkerCapability(kinds: ["a": 1, "b": 1, "command": 1], commands: [])
        let offer = schedule.offer(plain, small, except: [])
        #expect(offer?.group == group(1, 1))
        #expect(offer?.count == 2, "memory for two")
        #expect(schedule.offer(WorkerCapability(kinds: ["a": 2], commands: []), plenty, except: []) == nil)
        #expect(schedule.offer(able, ClaimAllowance(cores: 64, memoryMiB: 65_536, tasks: 0), except: []) == nil)
    }

    /// Twice the weight, twice the share, whatever the order of claims.
    @Test func runsAreServedByWeight() {
        var schedule = ClaimSchedule()
        schedule.swept([(group(1, 1), 1), (group(1, 2), 2), (group(1, 3), 1)], lanes: lanes)
        var served: [Int64: Int] = [:]
        for _ in 0..<400 {
            guard let offer = schedule.offer(able, ClaimAllowance(cores: 1, memoryMiB: 512, tasks: 1), except: [])
            else {
                Issue.record("nothing offered")
                return
            }
            served[offer.group.run, default: 0] += 1
            schedule.served(offer, count: 1, lastSequence: nil)
        }
        #expect(served == [1: 100, 2: 200, 3: 100])
    }

    @Test func aLateRunNeitherStarvesNorIsStarved() {
        var schedule = ClaimSchedule()
        schedule.swept([(group(1, 1), 1)], lanes: lanes)
        let one = ClaimAllowance(cores: 1, memoryMiB: 512, tasks: 1)
        for _ in 0..<1000 {
            schedule.served(schedule.offer(able, one, except: [])!, count: 1, lastSequence: nil)
        }
        schedule.swept([(group(1, 1), 1), (group(1, 2), 1)], lanes: lanes)
        var served: [Int64: Int] = [:]
        for _ in 0..<100 {
            let offer = schedule.offer(able, one, except: [])!
            served[offer.group.run, default: 0] += 1
            schedule.served(offer, count: 1, lastSequence: nil)
        }
        #expect(abs(served[1, default: 0] - 50) <= 1 && abs(served[2, default: 0] - 50) <= 1, "\(served)")
    }

    @Test func cursorsMoveOnAndSweepsSetThemBack() {
        var schedule = ClaimSchedule()
        schedule.swept([(group(1, 1), 1)], lanes: lanes)
        let first = schedule.offer(able, plenty, except: [])!
        #expect(first.cursor == 0 && first.count == 8)
        schedule.served(first, count: 8, lastSequence: 17)
        let second = schedule.offer(able, plenty, except: [])!
        #expect(second.cursor == 17)
        // Fewer than asked for: empty, until something is released or a sweep finds more.
        schedule.served(second, count: 3, lastSequence: 20)
        #expect(schedule.offer(able, plenty, except: []) == nil)
        let known = schedule.released([group(1, 1)])
        #expect(known)
        #expect(schedule.offer(able, plenty, except: [])?.cursor == 20)
        let unknownLane = schedule.released([group(9, 1)])
        let unknownRun = schedule.released([group(1, 9)])
        #expect(!unknownLane && !unknownRun, "these need a sweep")
        schedule.swept([(group(1, 1), 1)], lanes: lanes)
        #expect(schedule.offer(able, plenty, except: [])?.cursor == 0)
    }

    @Test func claimsThatWereServedAreLookedUpAgain() {
        let scheduler = ClaimScheduler()
        let claim = UUID()
        #expect(!scheduler.isEmpty(claim: claim))
        scheduler.remember(emptyClaim: claim)
        #expect(scheduler.isEmpty(claim: claim))
        scheduler.forget(claim: claim)
        #expect(!scheduler.isEmpty(claim: claim))
        for _ in 0..<20_000 { scheduler.remember(emptyClaim: UUID()) }
        #expect(!scheduler.isEmpty(claim: claim))
    }
}
