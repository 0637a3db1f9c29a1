import Foundation
import HTTPTypes
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite struct HTTPErrorTests {
    @Test func unknownRoutesAndMethodsAnswerInTheOneShape() async throws {
        try await APIFixture.with { api in
            for path in ["/", "/v1/nothing", "/v1/runs/1/2/3", "/v2/runs", "/v1/tasks/1/2"] {
                let answer = try await api.send(.get, path)
                #expect(answer.status == 404)
                #expect(try answer.error.code == "not_found")
                #expect(answer.headers[HTTPField.Name("X-Request-ID")!] != nil)
            }
            let wrong = try await api.send(.delete, "/v1/runs/1")
            #expect(wrong.status == 405)
            #expect(try wrong.error.code == "method_not_allowed")
            #expect(wrong.headers[.allow] == "GET")
        }
    }

    @Test(arguments: [
        ("", "no body"),
        ("{", "not valid JSON"),
        ("[]", "not valid"),
        (#"{"claim": "no", "freeCores": 1, "freeMemoryMiB": 1, "maximumTasks": 1, "waitMilliseconds": 0}"#, "claim"),
        (#"{"freeCores": 1}"#, "“claim” is missing"),
        (
            #"{"claim": "7AF0FB4B-0CDF-4C4F-8A0D-0B0CE6C5C1A4", "freeCores": "one", "freeMemoryMiB": 1, "maximumTasks": 1, "waitMilliseconds": 0}"#,
            "“freeCores” is not a whole number"
        ),
        (
            #"{"claim": "7AF0FB4B-0CDF-4C4F-8A0D-0B0CE6C5C1A4", "freeCores": null, "freeMemoryMiB": 1, "maximumTasks": 1, "waitMilliseconds": 0}"#,
            "“freeCores” is null"
        ),
        (
            #"{"claim": "7AF0FB4B-0CDF-4C4F-8A0D-0B0CE6C5C1A4", "freeCores": 1, "freeMemoryMiB": 1, "maximumTasks": 1, "waitMilliseconds": 99999}"#,
            "“waitMilliseconds” is 99999"
        ),
    ])
    func malformedBodiesNameTheField(body: String, expected: String) async throws {
        try await APIFixture.with { api in
            let answer = try await api.send(.post, "/v1/sessions/\(UUID())/claim", bytes: Array(body.utf8))
            #expect(answer.status == 400)
            let error = try answer.error
            #expect(error.code == "invalid")
            #expect(error.message.contains(expected), "\(error.message)")
        }
    }

    @Test func nestedFieldsAreNamedByTheirPath() async throws {
        try await APIFixture.with { api in
            let body = #"{"items": [{"lease": {"task": 1, "token": {"attempt": 1}}}]}"#
            let answer = try await api.send(.post, "/v1/sessions/\(UUID())/complete", bytes: Array(body.utf8))
            #expect(try answer.error.details == ["items[0].lease.token.nonce"])
        }
    }

    @Test(arguments: [
        "/v1/runs/abc", "/v1/runs/-1", "/v1/runs/99999999999999999999", "/v1/runs/549755813888",
        "/v1/tasks/1099511627777.0", "/v1/tasks/x.y", "/v1/tasks/-5",
        "/v1/tasks?state=flying", "/v1/tasks?limit=0", "/v1/tasks?limit=1&limit=2", "/v1/tasks?stat=ready",
        "/v1/tasks?run=%ZZ", "/v1/tasks?outcome=succeeded,", "/v1/runs?limit=100000", "/v1/artifacts/abc",
    ])
    func badPathsAndQueriesAreRefused(path: String) async throws {
        try await APIFixture.with { api in
            let answer = try await api.send(.get, path)
            #expect(answer.status == 400)
            #expect(try answer.error.code == "invalid")
        }
    }

    @Test(arguments: [
        "/v1/runs/1", "/v1/runs/1/definition", "/v1/runs/1/results/measurements", "/v1/tasks/1.0", "/v1/tasks/1.0/why",
        "/v1/artifacts/\(String(repeating: "0", count: 64))",
    ])
    func whatIsNotThereIsNotFound(path: String) async throws {
        try await APIFixture.with { api in
            let answer = try await api.send(.get, path)
            #expect(answer.status == 404)
            #expect(try answer.error.code == "not_found")
        }
    }

    @Test func aTextThatNoColumnTakesIsTheCallersFault() async throws {
        try await APIFixture.with { api in
            let answer = try await api.send(
                .post, "/v1/tokens", json: TokenRequest(name: "zero\u{0}byte", role: .analyst))
            #expect(answer.status == 400)
            #expect(try answer.error.code == "invalid")
        }
    }
}
