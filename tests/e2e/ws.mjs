// SPDX-License-Identifier: Apache-2.0
// Node's ws of this folder's node_modules, which scripts of other folders do not find by its name.
export * from "ws";
