import Foundation
import HTTPTypes
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite struct HTTPAuthenticationTests {
    /// Every route, every role: who may not is told so before anything else is looked at.
    @Test func everyRouteAsksForItsRoles() async throws {
        try await APIFixture.with { api in
            let secrets: [TokenRole: String] = [
                .worker: try await api.token(.worker), .analyst: try await api.token(.analyst),
                .operator: try await api.token(.operator),
            ]
            for route in APIRoutes.all(api.server.parts) {
                let path = route.path.replacing("{run}", with: "1").replacing("{task}", with: "1.0")
                    .replacing("{session}", with: UUID().uuidString).replacing("{view}", with: "measurements")
                    .replacing("{digest}", with: String(repeating: "0", count: 64)).replacing("{name}", with: "nobody")
                let anonymous = try await api.send(route.method, path, token: nil)
                guard case .roles(let roles) = route.access else {
                    #expect(anonymous.status == 200, "\(route.operation)")
                    continue
                }
                #expect(anonymous.status == 401, "\(route.operation)")
                #expect(anonymous.headers[.wwwAuthenticate] != nil)
                #expect(try await api.send(route.method, path, token: "wrong").status == 401)
                for (role, secret) in secrets {
                    let isAllowed = role == .operator || roles.contains(role)
                    let status = try await api.send(route.method, path, token: secret).status
                    #expect((status != 403) == isAllowed, "\(route.operation) as \(role): \(status)")
                    #expect(status < 500, "\(route.operation) as \(role): \(status)")
                }
            }
        }
    }

    @Test func aRevokedTokenStopsAtOnce() async throws {
        try await APIFixture.with { api in
            let grant = try await api.call(
                .post, "/v1/tokens", json: TokenRequest(name: "reader é/1", role: .analyst), status: 201,
                as: TokenGrant.self)
            #expect(try await api.send(.get, "/v1/runs", token: grant.secret).status == 200)
            let listed = try await api.call(.get, "/v1/tokens", as: TokenList.self).tokens
            #expect(listed.map(\.name) == ["reader é/1"])
            #expect(try await api.send(.delete, "/v1/tokens/reader%20%C3%A9%2F1").status == 200)
            #expect(try await api.send(.get, "/v1/runs", token: grant.secret).status == 401)
            #expect(try await api.send(.delete, "/v1/tokens/nobody").status == 404)
        }
    }

    @Test func aSecondTokenOfTheSameNameIsRefused() async throws {
        try await APIFixture.with { api in
            let request = TokenRequest(name: "twice", role: .worker)
            #expect(try await api.send(.post, "/v1/tokens", json: request).status == 201)
            let second = try await api.send(.post, "/v1/tokens", json: request)
            #expect(second.status == 409)
            #expect(try second.error.code == "conflict")
        }
    }

    @Test func loopbackNeedsNoTokenOnlyWhereAllowed() async throws {
        try await APIFixture.with(.live) { api in
            let answer = try await api.send(.get, "/v1/runs", token: nil)
            #expect(answer.status == 401)
        }
        try await APIFixture.with(.live, configure: { $0.allowLoopbackWithoutToken = true }) { api in
            let answer = try await api.send(.get, "/v1/runs", token: nil)
            #expect(answer.status == 200)
            // A web page in a browser on this machine.
            let page = try await api.send(.get, "/v1/runs", token: nil, headers: [.origin: "https://example.org"])
            #expect(page.status == 401)
            // A wrong token is wrong also from here.
            let wrong = try await api.send(.get, "/v1/runs", token: "wrong")
            #expect(wrong.status == 401)
        }
    }

    @Test func loopbackWithoutTokenIsRefusedOnOpenInterfaces() {
        var configuration = CoordinatorConfiguration(host: "0.0.0.0", port: 0)
        configuration.allowLoopbackWithoutToken = true
        #expect(throws: CoordinatorError.openWithoutToken(host: "0.0.0.0")) {
            try CoordinatorError.check(configuration)
        }
        configuration.host = "127.0.0.1"
        #expect(throws: Never.self) { try CoordinatorError.check(configuration) }
    }
}
