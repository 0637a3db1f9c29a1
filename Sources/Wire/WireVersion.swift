/// Version of the protocol between coordinator, workers and command line. The path of every route starts with it.
package enum WireVersion {
    package static let current = "v1"
}
