import Foundation
import Hummingbird
import Logging
import NIOCore
import Wire

/// Who sent a request, as far as its token says.
package struct Principal: Hashable, Sendable {
    package var name: String
    package var role: TokenRole

    package init(name: String, role: TokenRole) { (self.name, self.role) = (name, role) }
}

/// What accompanies a request through the router.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Under which the log has more.
    let requestID: String
    /// False for a request that came over no network.
    private let beganConnected: Bool
    /// Set by the authentication; nil on routes that are open to all.
    package var principal: Principal?

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        // A log handler need not keep metadata, and `id` of the library traps then.
        requestID = source.logger[metadataKey: "hb.request.id"]?.description ?? RequestID().description
        beganConnected = source.channel.isActive
    }

    /// Nil when the request came over a Unix socket or did not come over a network at all.
    var remoteAddress: SocketAddress? { channel.remoteAddress }

    /// False once the other side has gone.
    var isConnected: Bool { !beganConnected || channel.isActive }

    /// Name for the record of who did what.
    var actor: String { principal?.name ?? "anonymous" }
}
