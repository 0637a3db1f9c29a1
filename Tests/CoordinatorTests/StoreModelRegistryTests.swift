import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Store: the model registry")
struct StoreModelRegistryTests {
    private static let card: JSONValue = [
        "architecture": ["name": "U-Net", "levels": 5], "inputs": ["T1w", "Chimap"], "classes": ["putamen", "caudate"],
        "metrics": ["dice": 0.87],
    ]

    private func digest(_ text: String) -> ArtifactDigest { ArtifactDigest(of: Data(text.utf8)) }

    /// Bytes in the store, and a model of them.
    @discardableResult
    private func imported(
        _ text: String, name: String? = nil, moveName: Bool? = nil, in fixture: StoreFixture
    ) async throws -> ModelDetail {
        try await fixture.store.recordArtifact(
            digest: digest(text), sizeBytes: Int64(text.utf8.count), mediaType: "application/vnd.safetensors")
        return try await fixture.store.putModel(
            digest(text), ModelRequest(name: name, moveName: moveName, card: Self.card), by: "tester"
        ).model
    }

    /// Runs a task whose output is a model.
    private func trained(
        _ text: String, card: JSONValue? = Self.card, in fixture: StoreFixture
    ) async throws -> (lease: LeaseGrant, verdicts: [CompletionVerdict]) {
        var graph = GraphBuilder()
        graph.add("train", parameters: ["seed": .string(text)])
        _ = try await fixture.create(graph)
        let session = try await fixture.openSession(UUID().uuidString)
        let lease = try #require(try await fixture.claim(session).first)
        var report = Report.success(lease)
        report.outputs = [
            CompletionItem.Output(
                port: "model", name: "model.safetensors", digest: digest(text), sizeBytes: Int64(text.utf8.count),
                mediaType: "application/vnd.safetensors",
                metadata: .object(["type": "model"].merging(card.map { ["card": $0] } ?? [:]) { a, _ in a }))
        ]
        return (lease, try await fixture.finish(session, [report]))
    }

    @Test func whatARunTrainsIsAModelByItself() async throws {
        let fixture = try await StoreFixture.make()
        let (lease, verdicts) = try await trained("weights", in: fixture)
        #expect(verdicts == [.accepted])
        let model = try await fixture.store.model(digest("weights").hex)
        #expect(model.card == Self.card)
        #expect(model.summary.source == .trained && model.summary.task == lease.task)
        #expect(model.summary.architecture == "U-Net" && model.summary.name == nil)
        #expect(model.summary.inputs == ["T1w", "Chimap"] && model.summary.outputs == ["putamen", "caudate"])
        #expect(model.summary.metrics == ["dice": 0.87] && model.summary.sizeBytes == 7)
        // An output that does not say so is none.
        var graph = GraphBuilder()
        graph.add("other", file: "f")
        _ = try await fixture.create(graph)
        try await fixture.drain(try await fixture.openSession())
        #expect(try await fixture.store.models().map(\.digest) == [digest("weights")])
        #expect(try await fixture.store.fsck() == [])
    }

    @Test func aModelWithoutACardFailsItsTask() async throws {
        let fixture = try await StoreFixture.make()
        let (lease, _) = try await trained("weights", card: nil, in: fixture)
        let summary = try #require(try await fixture.store.task(lease.task)?.summary)
        #expect(summary.state == .failed && summary.message?.contains("a model without a card") == true)
        #expect(try await fixture.store.models().isEmpty)
    }

    @Test func analystsFindModelsInAView() async throws {
        let fixture = try await StoreFixture.make()
        let (lease, _) = try await trained("weights", in: fixture)
        try await imported("bought", name: "deepmir", in: fixture)
        let rows = try await fixture.store.pool.transaction { session in
            try session.script("SET LOCAL ROLE qsmflow_analyst")
            return try session.query(
                """
                SELECT name, architecture, inputs ->> 1, outputs ->> 0, source, run, task, metrics ->> 'dice', size::text
                FROM models ORDER BY source
                """
            ) { row in
                let (name, architecture, input, output, source, run, task, dice, size) = try row.decode(
                    String?.self, String.self, String.self, String.self, String.self, Int64?.self, String?.self,
                    String.self, String.self)
                return [name, architecture, input, output, source, run.map(String.init), task, dice, size]
            }
        }
        #expect(
            rows == [
                ["deepmir", "U-Net", "Chimap", "putamen", "imported", nil, nil, "0.87", "6"],
                [nil, "U-Net", "Chimap", "putamen", "trained", "1", "\(lease.task)", "0.87", "7"],
            ])
    }

    /// The view for a run holds what the run made or read, and nothing else.
    @Test func theModelsOfARunAreThoseItMadeOrRead() async throws {
        let fixture = try await StoreFixture.make()
        _ = try await trained("weights", in: fixture)
        try await imported("bought", in: fixture)
        try await imported("unused", in: fixture)
        var graph = GraphBuilder()
        graph.add("apply", file: "bought")
        let run = try await fixture.create(graph).run
        func models(_ run: Int64) async throws -> [String] {
            let csv = try await collected(
                fixture.store.copyResults(view: "models", run: RunID(rawValue: run), format: .csv))
            return csv.split(separator: "\n").dropFirst().map { String($0.prefix(64)) }
        }
        #expect(try await models(1) == [digest("weights").hex])
        #expect(try await models(run.rawValue) == [digest("bought").hex])
    }

    // MARK: Names and digests

    @Test func aModelIsFoundByNameDigestAndTheBeginningOfOne() async throws {
        let fixture = try await StoreFixture.make()
        // Two digests that begin alike: found by trying, not by luck.
        var seen: [String: String] = [:]
        var pair: (String, String)?
        for number in 0..<200_000 where pair == nil {
            let text = "model \(number)"
            let beginning = String(digest(text).hex.prefix(6))
            if let other = seen.updateValue(text, forKey: beginning) { pair = (other, text) }
        }
        let (one, two) = try #require(pair)
        let hex = digest(one).hex
        try await imported(one, name: "deepmir-v2", in: fixture)
        let store = fixture.store
        for text in ["deepmir-v2", hex, String(hex.prefix(6)), String(hex.prefix(7)), String(hex.prefix(63))] {
            #expect(try await store.model(text).summary.digest == digest(one), "\(text)")
        }
        try await imported(two, in: fixture)
        let both = [digest(one), digest(two)].sorted()
        await #expect(throws: StoreError.ambiguousModel(String(hex.prefix(6)), digests: both)) {
            try await store.model(String(hex.prefix(6)))
        }
        let common = zip(hex, digest(two).hex).prefix { $0 == $1 }.count
        #expect(try await store.model(String(hex.prefix(common + 1))).summary.digest == digest(one))
        // Fewer digits are no digest; a name that an earlier version let be like one counts before it.
        await #expect {
            try await store.model(String(hex.prefix(5)))
        } throws: {
            "\($0)".contains("it has too few digits: give at least 6")
        }
        try await imported("third", name: "third", in: fixture)
        try await fixture.execute(
            "UPDATE model SET name = $1 WHERE name = 'third'", [.text(String(hex.prefix(common + 2)))])
        #expect(try await store.model(String(hex.prefix(common + 2))).summary.digest == digest("third"))
        await #expect(throws: StoreError.unknownModel("deepmir-v3", nearest: "deepmir-v2")) {
            try await store.model("deepmir-v3")
        }
    }

    @Test func aNameHasOneModelAndMovesWhenAsked() async throws {
        let fixture = try await StoreFixture.make()
        try await imported("old", name: "deepmir", in: fixture)
        await #expect(throws: StoreError.modelNameTaken("deepmir", by: digest("old"))) {
            try await imported("new", name: "deepmir", in: fixture)
        }
        #expect(try await fixture.store.models().map(\.digest) == [digest("old")])
        try await imported("new", name: "deepmir", moveName: true, in: fixture)
        #expect(try await fixture.store.model("deepmir").summary.digest == digest("new"))
        #expect(try await fixture.store.model(digest("old").hex).summary.name == nil)
        // Once more the same: nothing changes, and without a name the name stays.
        try await imported("new", name: "deepmir", in: fixture)
        #expect(try await imported("new", in: fixture).summary.name == "deepmir")
        for name in [
            "", "a b", "-x", ".x", "a/b", "x.safetensors", "x.onnx", digest("old").hex, "facade", "DECADE", "123456",
        ] {
            await #expect(throws: StoreError.unusableModelName(name)) {
                try await imported("new", name: name, in: fixture)
            }
        }
    }

    /// Whoever moves a name hears from where; what a model would lose by a new name stays unless that is meant.
    @Test func whatANameMovesFromIsSaid() async throws {
        let fixture = try await StoreFixture.make()
        try await imported("old", name: "deepmir", in: fixture)
        let moved = try await imported("new", name: "deepmir", moveName: true, in: fixture)
        #expect(moved.nameTakenFrom == digest("old") && moved.formerName == nil)
        let same = try await imported("new", name: "deepmir", moveName: true, in: fixture)
        #expect(same.nameTakenFrom == nil && same.formerName == nil)
        await #expect(throws: StoreError.modelHasName("deepmir", digest("new"), wanted: "rims")) {
            try await imported("new", name: "rims", in: fixture)
        }
        #expect(try await fixture.store.model("deepmir").summary.digest == digest("new"))
        let renamed = try await imported("new", name: "rims", moveName: true, in: fixture)
        #expect(renamed.formerName == "deepmir" && renamed.nameTakenFrom == nil && renamed.summary.name == "rims")
        await #expect(throws: StoreError.self) { try await fixture.store.model("deepmir") }
        // Five letters of them are a name like any other.
        #expect(try await imported("new", name: "faced", moveName: true, in: fixture).summary.name == "faced")
    }

    /// Many want one name at once: one gets it, and nobody hears anything but that it is taken.
    @Test func aNameIsGivenOnce() async throws {
        let fixture = try await StoreFixture.make(connections: 8)
        let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<12 {
                group.addTask {
                    do {
                        try await imported("model \(number)", name: "best", in: fixture)
                        return false
                    } catch StoreError.modelNameTaken("best", _) {
                        return true
                    }
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(taken == 11)
        #expect(try await fixture.store.models(name: "best").count == 1)
    }

    @Test func aModelNeedsItsBytesAndACard() async throws {
        let fixture = try await StoreFixture.make()
        await #expect(throws: StoreError.missingModelBytes(digest("x"))) {
            try await fixture.store.putModel(digest("x"), ModelRequest(card: Self.card), by: "tester")
        }
        try await fixture.store.recordArtifact(digest: digest("x"), sizeBytes: 1, mediaType: "m")
        await #expect(throws: StoreError.modelWithoutCard(digest("x"))) {
            try await fixture.store.putModel(digest("x"), ModelRequest(name: "n"), by: "tester")
        }
        #expect(try await fixture.store.models().isEmpty)
    }

    @Test func listsArePagedNewestFirstAndFiltered() async throws {
        let fixture = try await StoreFixture.make()
        for number in 0..<7 { try await imported("\(number)", name: "net-\(number)", in: fixture) }
        try await imported("other", name: "other", in: fixture)
        var names: [String?] = []
        var after: ArtifactDigest?
        while true {
            let page = try await fixture.store.models(name: "net", after: after, limit: 3)
            names += page.map(\.name)
            if page.count < 3 { break }
            after = page.last?.digest
        }
        #expect(names == (0..<7).reversed().map { "net-\($0)" })
        #expect(try await fixture.store.models(limit: 1).map(\.name) == ["other"])
        #expect(try await fixture.store.models(name: "n%").isEmpty)
    }

    // MARK: How long models live

    @Test func removingTakesNamesAndImportsButNotWhatARunTrained() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        let (lease, _) = try await trained("weights", in: fixture)
        await #expect(throws: StoreError.modelBelongsToRun(digest("weights"), task: lease.task)) {
            try await store.removeModel(digest("weights").hex, by: "tester")
        }
        _ = try await store.putModel(digest("weights"), ModelRequest(name: "mine"), by: "tester")
        #expect(try await store.removeModel("mine", by: "tester") == false)
        #expect(try await store.model(digest("weights").hex).summary.name == nil)
        try await imported("bought", name: "deepmir", in: fixture)
        #expect(try await store.removeModel("deepmir", by: "tester"))
        await #expect(throws: StoreError.self) { try await store.removeModel("deepmir", by: "tester") }
        #expect(try await store.models().map(\.digest) == [digest("weights")])
    }

    @Test func garbageCollectionKeepsModels() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        _ = try await trained("weights", in: fixture)
        _ = try await trained("named weights", in: fixture)
        _ = try await store.putModel(digest("named weights"), ModelRequest(name: "mine"), by: "tester")
        try await imported("bought", in: fixture)
        try await imported("unwanted", in: fixture)
        _ = try await store.removeModel(digest("unwanted").hex, by: "tester")
        try await fixture.execute("UPDATE artifact SET verified_at = now() - interval '2 days'")
        let all = ["weights", "named weights", "bought", "unwanted"].map(digest)
        #expect(try await store.liveDigests() == Set(all.prefix(3)))
        #expect(try await store.forgetArtifacts(all) == [digest("unwanted")])
        #expect(Set(try await store.models().map(\.digest)) == Set(all.prefix(3)))

        // Without the results, what has a name stays and what has none goes.
        try await fixture.execute("DELETE FROM run")
        try await fixture.execute("DELETE FROM result")
        #expect(try await store.liveDigests() == [digest("named weights"), digest("bought")])
        #expect(try await store.forgetArtifacts(all.dropLast()) == [digest("weights")])
        #expect(Set(try await store.models().map(\.digest)) == [digest("named weights"), digest("bought")])
        #expect(try await store.model("mine").summary.source == .trained)
    }

    /// A collection of garbage and an import meet on the same bytes: either they stay, or the import hears that they are
    /// not there.
    @Test func garbageCollectionCannotTakeWhatIsBecomingAModel() async throws {
        let fixture = try await StoreFixture.make(connections: 8)
        let store = fixture.store
        let texts = (0..<20).map { "model \($0)" }
        for text in texts { try await store.recordArtifact(digest: digest(text), sizeBytes: 1, mediaType: "m") }
        try await fixture.execute("UPDATE artifact SET verified_at = now() - interval '2 days'")
        let kept = try await withThrowingTaskGroup(of: ArtifactDigest?.self) { group in
            for text in texts {
                group.addTask {
                    do {
                        return try await store.putModel(digest(text), ModelRequest(card: Self.card), by: "tester")
                            .model.summary.digest
                    } catch StoreError.missingModelBytes {
                        return nil
                    }
                }
            }
            for _ in 0..<3 {
                group.addTask {
                    _ = try await store.forgetArtifacts(texts.map(digest))
                    return nil
                }
            }
            return try await group.reduce(into: Set<ArtifactDigest>()) { if let digest = $1 { $0.insert(digest) } }
        }
        #expect(Set(try await store.models().map(\.digest)) == kept)
        let rows = try await fixture.count("SELECT count(*) FROM artifact")
        #expect(rows == kept.count)
    }

    @Test func whatWasImportedAndIsTrainedLaterKeepsItsName() async throws {
        let fixture = try await StoreFixture.make()
        try await imported("weights", name: "deepmir", in: fixture)
        let other: JSONValue = ["architecture": "ResNet-18"]
        let (lease, _) = try await trained("weights", card: other, in: fixture)
        let model = try await fixture.store.model("deepmir")
        #expect(model.summary.source == .trained && model.summary.task == lease.task && model.card == other)
        #expect(model.summary.architecture == "ResNet-18")
        // The card of the task stays when the file is imported again.
        #expect(try await imported("weights", in: fixture).card == other)
    }
}
