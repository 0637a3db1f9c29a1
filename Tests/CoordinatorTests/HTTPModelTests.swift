import Artifacts
import BIDS
import Foundation
import HTTPTypes
import Testing
import Wire
import Workflow

@testable import Coordinator

/// The routes of the model registry.
@Suite struct HTTPModelTests {
    private static let card: JSONValue = ["architecture": "U-Net", "inputs": ["T1w"], "classes": ["a"]]

    @Test func fromUploadToRemoval() async throws {
        try await APIFixture.with { api in
            let bytes = Array("weights".utf8)
            let digest = ArtifactDigest(of: bytes)
            let path = "/v1/models/\(digest)"
            let request = ModelRequest(name: "deepmir", card: Self.card)
            let early = try await api.send(.put, path, json: request)
            #expect(early.status == 409)
            #expect(try early.error.code == "missing_artifact")
            #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: bytes).status == 201)
            let created = try await api.call(.put, path, json: request, status: 201, as: ModelDetail.self)
            #expect(created.summary.digest == digest && created.summary.sizeBytes == 7)
            #expect(try await api.send(.put, path, json: request).status == 200)

            let listed = try await api.call(.get, "/v1/models?name=deep", as: ModelList.self).models
            #expect(listed.map(\.name) == ["deepmir"])
            #expect(try await api.call(.get, "/v1/models?name=other", as: ModelList.self).models.isEmpty)
            #expect(try await api.call(.get, "/v1/models?after=\(digest)", as: ModelList.self).models.isEmpty)
            for text in ["deepmir", digest.hex, String(digest.hex.prefix(6))] {
                let found = try await api.call(.get, "/v1/models/\(text)", as: ModelDetail.self)
                #expect(found.card == Self.card && found.summary.architecture == "U-Net")
            }
            #expect(try await api.send(.get, "/v1/artifacts/\(digest)").body == bytes)

            let removed = try await api.call(.delete, "/v1/models/deepmir", as: StatusBody.self)
            #expect(removed.status == "removed")
            let gone = try await api.send(.get, path)
            #expect(gone.status == 404)
            #expect(try gone.error.message.hasPrefix("There is no model “\(digest)”; `qsmflow models`"))
        }
    }

    @Test func whatIsWrongIsSaid() async throws {
        try await APIFixture.with { api in
            var digests: [ArtifactDigest] = []
            for text in ["one", "two"] {
                let digest = ArtifactDigest(of: Array(text.utf8))
                digests.append(digest)
                #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: Array(text.utf8)).status == 201)
            }
            let path = "/v1/models/\(digests[0])"
            #expect(try await api.send(.put, path, json: ModelRequest(name: "n", card: Self.card)).status == 201)
            let taken = try await api.send(
                .put, "/v1/models/\(digests[1])", json: ModelRequest(name: "n", card: Self.card))
            #expect(taken.status == 409)
            let sentence = try taken.error.message
            #expect(sentence.contains("The name n belongs to model \(digests[0].hex.prefix(12))"), "\(sentence)")
            #expect(sentence.contains("--move"), "\(sentence)")
            let moved = try await api.call(
                .put, "/v1/models/\(digests[1])", json: ModelRequest(name: "n", moveName: true, card: Self.card),
                status: 201, as: ModelDetail.self)
            #expect(moved.summary.name == "n")

            for (body, field) in [
                (ModelRequest(), "name"), (ModelRequest(card: "text"), "card"),
                (ModelRequest(name: "a b", card: Self.card), "name"),
                (ModelRequest(card: ["text": .string(String(repeating: "x", count: 5 << 20))]), "card"),
            ] {
                let refused = try await api.send(.put, path, json: body)
                #expect(refused.status == 400)
                #expect(try refused.error.details?.contains(field) == true)
            }
            #expect(try await api.send(.put, "/v1/models/n", json: ModelRequest(card: Self.card)).status == 400)
            let meant = try await api.send(.get, "/v1/models/deepmir")
            #expect(meant.status == 404)
            #expect(try await api.send(.delete, "/v1/models/deepmir").status == 404)
            #expect(try await api.send(.get, "/v1/models?limit=0").status == 400)
            #expect(try await api.send(.get, "/v1/models?nam=x").status == 400)
        }
    }

    /// The row of an artifact without its bytes is no model: importing the file again mends it.
    @Test func lostBytesAreAskedForAgain() async throws {
        try await APIFixture.with { api in
            let bytes = Array("weights".utf8)
            let digest = ArtifactDigest(of: bytes)
            let path = "/v1/models/\(digest)"
            let request = ModelRequest(name: "deepmir", card: Self.card)
            #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: bytes).status == 201)
            #expect(try await api.send(.put, path, json: request).status == 201)
            #expect(try await api.call(.get, "/v1/fsck", as: CheckReport.self).violations == [])
            try FileManager.default.removeItem(atPath: api.server.parts.artifacts.path(of: digest))
            #expect(
                try await api.call(.get, "/v1/fsck", as: CheckReport.self).violations == [
                    "The bytes of model \(digest) are not in the store; import it again."
                ])
            let asked = try await api.send(.put, path, json: request)
            #expect(asked.status == 409)
            #expect(try asked.error.code == "missing_artifact")
            #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: bytes).status == 201)
            #expect(try await api.send(.put, path, json: request).status == 200)
            #expect(try await api.call(.get, "/v1/fsck", as: CheckReport.self).violations == [])
        }
    }

    @Test func analystsReadAndOperatorsWrite() async throws {
        try await APIFixture.with { api in
            let digest = ArtifactDigest(of: Array("weights".utf8))
            let path = "/v1/models/\(digest)"
            #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: Array("weights".utf8)).status == 201)
            let request = ModelRequest(card: Self.card)
            #expect(try await api.send(.put, path, json: request).status == 201)
            let analyst = try await api.token(.analyst)
            for route in ["/v1/models", path] {
                #expect(try await api.send(.get, route, token: analyst).status == 200)
                #expect(try await api.send(.get, route, token: try await api.token(.worker)).status == 403)
                #expect(try await api.send(.get, route, token: nil).status == 401)
            }
            #expect(try await api.send(.put, path, token: analyst, json: request).status == 403)
            #expect(try await api.send(.delete, path, token: analyst).status == 403)
            #expect(try await api.call(.get, path, as: ModelDetail.self).summary.digest == digest)
        }
    }
}
