import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddressPool,
  chooseBridgeAddress,
  formatAddress,
  formatSubnet,
  macAddressFor,
  overlaps,
  parseCidr,
  parseRoutes,
} from './addresses.ts';

test('parseCidr() gives address and network, and refuses what is none', () => {
  const { address, subnet } = parseCidr('172.17.5.1/16');
  assert.deepEqual([formatAddress(address), formatSubnet(subnet)], ['172.17.5.1', '172.17.0.0/16']);
  for (const text of ['172.17.0.1', '172.17.0.300/16', '172.17.0.1/31', 'x/8'])
    assert.throws(() => parseCidr(text), { kind: 'invalidArgument' });
});

test("parseRoutes() reads the kernel's table without the default route", () => {
  const text = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0',
    'eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  ].join('\n');
  assert.deepEqual(parseRoutes(text).map(formatSubnet), ['172.17.0.0/16', '192.168.1.0/24']);
});

test('chooseBridgeAddress() avoids networks in use', () => {
  assert.equal(chooseBridgeAddress([]), '172.17.0.1/16');
  assert.equal(
    chooseBridgeAddress([parseCidr('172.17.9.1/24').subnet, parseCidr('172.18.0.1/16').subnet]),
    '172.19.0.1/16',
  );
  assert.equal(overlaps(parseCidr('10.0.0.1/8').subnet, parseCidr('10.9.0.1/16').subnet), true);
});

test('AddressPool gives addresses in a circle and says when there are none', () => {
  const { address, subnet } = parseCidr('10.0.0.1/29');
  const pool = new AddressPool(subnet, address);
  const taken = Array.from({ length: 5 }, () => formatAddress(pool.take()));
  assert.deepEqual(taken, ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  assert.throws(() => pool.take(), { kind: 'resourceExhausted' });
  pool.release(parseCidr('10.0.0.3/29').address);
  pool.release(parseCidr('10.0.0.2/29').address);
  assert.equal(formatAddress(pool.take()), '10.0.0.2');
  assert.equal(macAddressFor(parseCidr('172.17.0.2/16').address), '02:42:ac:11:00:02');
});
