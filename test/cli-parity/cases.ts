/**
 * Command lines that docker's client and ours must answer alike, in their order: each one finds what those before it have left. `{HUB}` is
 * the Hub's address, `{DIR}` a directory for files.
 */
export const lines: readonly string[] = `
run --help
create --help
start --help
attach --help
exec --help
ps --help
container ls --help
logs --help
stop --help
kill --help
restart --help
rename --help
pause --help
unpause --help
rm --help
wait --help
top --help
port --help
inspect --help
container inspect --help
container prune --help
container run --help
container logs --help
commit --help
images --help
image ls --help
image rm --help
pull --help
push --help
tag --help
rmi --help
history --help
image inspect --help
image prune --help
search --help
login --help
logout --help
version --help
info --help
events --help
help rm
rm help
ps -h
ps
images
images -q
pull busybox
pull -q busybox
pull busybox
pull INVALID
pull -a foo:bar
pull busybox:nosuchtag
pull {HUB}/nope
pull --platform foo/bar/baz/x busybox
images
images --digests
images --no-trunc
images --format json
images --format {{.Repository}}:{{.Tag}}
images --format 'table {{.Repository}}\\t{{.Size}}'
images --format {{.Foo}}
images --format raw
images --filter foo=bar
images --filter reference=busy*
images busybox
images nosuch
images -a -q
images a b
create --name c1 -e A=1 -l k=v busybox sh -c 'echo out; echo err >&2'
create --name c1 busybox
create --name 'a b' busybox
create
ps -a
ps -a -q
ps -aq --no-trunc
ps -a --format json
ps -a --format {{.Names}}
ps -a --format '{{.Names}} {{.Label "k"}} {{upper .State}}'
ps -a --format 'table {{.Names}}\\t{{.Image}}\\t{{.Status}}'
ps -a --format 'table {{.ID}} x'
ps -a --format raw
ps --format {{.Foo}}
ps --format {{.Names
ps --format {{foo}}
ps -a --filter name=c1
ps --filter foo=bar
ps --filter foo
ps -n abc
ps -n
ps foo
ps --all=foo
ps -aq=false
ps -l
ps -a -s --format {{.Names}}
start -a c1
logs c1
logs --tail 1 c1
logs -t c1
logs --since foo c1
logs nope
logs
start c1 nope
start -a c1 nope
start nope nope2
wait c1
wait nope
run --rm busybox echo hello
run --rm --network none busybox sh -c 'exit 3'
run --rm busybox nosuch
run --rm busybox /etc
run --rm -e A=1 -e B=2 -w /tmp -u 1000:1000 busybox sh -c 'echo $A$B $PWD; id -u'
run --rm --entrypoint echo busybox a b
run --rm --hostname h1 busybox hostname
run --rm -i busybox cat
run -it --rm busybox true
run --foo
run -z
run
run INVALID
run ''
run nosuchimage
run --pull never nosuchimage
run --pull foo busybox
run -d -a stdout busybox true
run --rm --restart always busybox true
run -m 1 busybox
run -m 1xyz busybox
run -p abc busybox
run -p 99999:1 busybox
run -p 1-2:3-5 busybox
run --expose foo busybox
run -v a:b:c:d busybox
run --ulimit x busybox
run --ulimit nofile=a busybox
run --restart foo busybox
run -e '' busybox
run --env-file /nope busybox
run --cpus a busybox
run --mount foo busybox
run --mount type=bind,target=/x busybox
run --mac-address zz busybox
run --device '' busybox
run --add-host foo busybox
run --dns foo busybox
run --link '' busybox
run --log-driver none --log-opt a=b busybox
run --memory-swappiness 200 busybox
run --shm-size foo busybox
run --health-cmd x --no-healthcheck busybox
run --health-interval -1s busybox
run --health-interval foo busybox
run --pid foo busybox
run --uts foo busybox
run --userns foo busybox
run --cgroupns foo busybox
run --security-opt foo busybox
run --security-opt seccomp=/nope busybox
run --attach foo busybox
run --gpus foo= busybox
run --stop-timeout a busybox
run --storage-opt x busybox
run --sysctl x busybox
run --blkio-weight-device x busybox
run --device-read-bps x busybox
run --cidfile /etc/passwd busybox
run -d --name r1 -p 127.0.0.1:18923:80 -l a=b busybox sleep 1000
ps
ps --no-trunc
port r1
port r1 80
port r1 81
port nope
port
top r1
top r1 -o pid,comm
top nope
exec r1 echo hi
exec r1 sh -c 'echo err >&2; exit 4'
exec -e X=1 -w /tmp r1 sh -c 'echo $X $PWD'
exec -i r1 cat
exec -d r1 true
exec r1 nosuch
exec nope ls
exec c1 ls
exec
exec -e '' r1 ls
exec -it r1 ls
attach nope
attach c1
pause r1
pause r1
unpause r1
unpause r1
pause nope
rename r1 r2
rename r2 c1
rename nope x
rename a
restart -t 0 r2
restart nope
inspect -f {{.State.Status}} r2
inspect -f '{{range .Config.Env}}{{.}} {{end}}' r2
inspect -f '{{json .Config.Labels}} {{len .Mounts}}' r2
inspect -f '{{index .Config.Labels "a"}} {{.HostConfig.NetworkMode}}' r2
inspect -f '{{if .State.Running}}up{{else}}down{{end}}' r2
inspect -f '{{.NetworkSettings.Ports}} {{.HostConfig.RestartPolicy}}' r2
inspect -f '{{with .Config}}{{.Image | upper}}{{end}} {{printf "%q %d" .Name .State.ExitCode}}' r2
inspect -f {{.Foo}} r2
inspect -f {{.Id r2
inspect --type foo nope
inspect --type container nope
inspect --type image nope
inspect --type image -f '{{.Config.Cmd}} {{.Os}}/{{.Architecture}}' busybox
inspect
container inspect nope
container inspect -f {{.Name}} r2
image inspect nope
image inspect -f {{.RepoTags}} busybox
diff
commit -m msg -a me r2 me/x:1
commit nope
commit r2 INVALID
commit
tag me/x:1 {HUB}/me/mine:1
tag nope a
tag a
tag me/x:1 INVALID
history -q busybox
history busybox
history --format {{.CreatedBy}} busybox
history --no-trunc busybox
history --format {{.Foo}} busybox
history -H=false --format '{{.Size}}' busybox
history nope
push {HUB}/me/mine:1
push -q {HUB}/me/mine:1
push nope
push INVALID
push -a foo:bar
rmi {HUB}/me/mine:1
pull {HUB}/me/mine:1
rmi nope
rmi -f nope
rmi busybox
rmi
search busybox
search --format {{.Name}} busybox
search --no-trunc --limit 1 busybox
search x --limit 1000
search x --filter foo
search
kill -s FOO r2
kill nope
kill r2
kill r2
stop -t 1 r2
stop nope nope2
stop
rm r2
rm -f nope
rm nope nope2
rm
rm -z
container prune
container prune -f
container prune -f
image prune -f
login -p a
login -u x -p y localhost:1
logout foo
version --format {{.Foo}}
version --format {{.Server.ApiVersion}}
info --format {{.Foo}}
info --format {{.Driver}}
events --format {{.Foo}} --until 0s
events --until 0s --since 1h --filter container=r2 --filter event=kill
events --filter foo
foo
container foo
--foo
-z
-H foo://bar ps
-H unix:///nope.sock ps
-H unix:///nope.sock run x
-l foo ps
`
  .trim()
  .split('\n');

/** What some lines read. */
export const inputs: Readonly<Record<string, string>> = {
  'run --rm -i busybox cat': 'a line\n',
  'exec -i r1 cat': 'a line\n',
};

/** Lines that are answered otherwise, and why. */
export const differences: ReadonlyMap<string, string> = new Map([
  ['images a b', "docker's hint begins with the misprint SRun"],
  ['diff', 'our diff also compares two images, and its usage says so'],
]);
