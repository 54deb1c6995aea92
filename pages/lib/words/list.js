/**
 * The 2048 words that people compare: 11 bits each, 3 to 6 letters, chosen so that few sound alike. Most are from the
 * English list of BIP 39. Two pages show the same words only if their lists are the same: never change a single word.
 */

export const WORDS = `
abacus able about above absent absorb absurd accent access acid acorn across act action actor actual adapt add
adjust admit adult advice affair afford afloat again agate age agent agile agree ahead aim air alarm album alder
alert algae all alley allow almond almost aloft alone alpha alpine also alter alto always amber amble among
amount ample amused anchor angle angler animal anise ankle annual answer anthem antler anvil any apart apex
appear apple april apron arbor arcade arcane arch archer arctic area arena argue arm armor around arrive arrow
art artist ascent aside aspect aspen asset assist assume aster astro atlas atom attend attic auburn audit august
aunt aurora author auto autumn avenue avoid awake aware away awning axis axle baby bacon badge badger bag bagel
bakery baking ball ballad ballet balsam bamboo banana banjo banner bar barber barely barge bark barley barn
barrel base basic basil basin basket baton bazaar beach beacon beagle beam bean beauty beaver become beef beetle
before begin behave behind bell bellow below belt bench bento beret berry best better beyond bike birch bird
birth bison blade blast blazer blend bless blimp bloom blouse blue bluff blur blush board boat bobbin bobcat
body boil bold bolt bonnet bonsai bonus book boost boot border borrow boss bottom bounce bowl box brain brand
brass brave bread breeze brick bridge bridle brief bright bring brisk broken bronze brook broom broth brow brush
bubble bucket buckle buddy budget buffet bugle build bulb bulk bumper bundle bunny buoy burlap burrow bus bushel
busy butter button buyer buzz cabin cable cactus caddie cake calf calico call calm camel cameo camera camp can
canal canary candid candle candy cane canoe canopy canvas canyon cape caper car carafe carbon card care cargo
carol carpet carrot carry cart case castle casual cat catch caught cause cave cedar celery cellar cello cement
census cereal chain chair chalet chalk change chapel chard charge charm chart chase chat check cheese chef
cherry chess chest chief child chime chirp chive choice choir choose chorus churn cider cinder circle circus
citrus city civic civil claim clam clap class claw clay clean clerk clever click client cliff climb clip cloak
clock close cloth cloud clover clown club clump clutch coach coal coast coat cobalt cobble cobra cocoa code coin
color column come comet comic comma common condor cook cookie cool copper copy coral cord core cork corn cosmos
cost cotton couch cougar couple course court cove cover cowboy coyote crab cradle craft cram crane crater crawl
crayon cream credit creek crepe crest crew crisp critic crocus crop cross crouch crow crowd crown cruise crunch
crust cube cuckoo cumin cup cupola curl curry curve custom cute cutlet cycle dahlia daily daisy damp dance
dapper dapple daring dart date dawn day deal debate decade decide deck decoy deer define degree delay dell delta
demand denim depart depend depot depth deputy derive desert design desk detail detect device devote dew dial
diary dice diesel diet differ diner dinghy dingo dinner direct disco dish disk divert divide doctor dog doll
dollar domain dome domino donate donkey doodle door dot double dove dozen draft dragon drama draw dream dress
drift drive drop drum dry duck dune during dusk dust duty dynamo eager eagle early earn earth earwig easel
easily east easy ebony echo eclair edge edit eel effort egg eight either elbow elder elk elm else embark ember
emerge employ empty enable enact enamel end energy engage engine enjoy enlist enough enrich enroll ensure enter
entire entry equal equip erase escape essay estate ethics evoke evolve exact excess excite excuse exist exotic
expand expect expose extend extra eye fable fabric face facet fade faint fair faith falcon fall fame family
famous fan fancy farm father faucet feast feel felt fence fern ferret ferry few fiber fiddle field fig figure
file fillet film filter final finch find fine finger finish fir fire firm first fish fit fjord flag flame flash
flask flat flavor flax fleece fleet flight flint flip float flock floor flora floral flower fluid flurry flush
flute fly foamy focus fog fold follow fond fondue food foot force ford forest forget fork form fort forum fossil
foster found fox frame fresco fresh friend fringe frog front frost frown frozen fruit fudge fuel fun funnel
funny future gadget gain galaxy galley gallop game gannet gap garage garden garlic garnet gasp gate gather gauge
gaze gazebo gecko gem genius genre gentle geyser giant gift giggle ginger ginkgo give glad glade glance glare
glass glaze glide glider globe gloom glory glove glow glue goat goblet gold golf good goose gopher gorge gospel
govern grab grace grain grand grant grape grass gravel great green grid grit grotto group grove grow guard guava
guess guest guide guitar gull guppy gutter gym habit hair half hall halo hamlet hammer hand happy harbor hard
harp hat hatch have haven hawk haze hazel head health heart hearth hearty heavy hedge height helium hello helmet
help hen herald hero heron hidden high hill hinge hint hip hire hive hobby hockey hold hole hollow holly home
honey honor hood hook hoop hope hopper horn hornet horse host hotel hound hour house hover hub huge human humble
humor hurdle hurry hut hybrid hyena ibis ice icicle icon idea idle igloo image immune impact inch income index
indigo indoor inform inhale ink inlet inner input insect inside intact into invest invite iris iron island issue
item ivory ivy jackal jacket jade jaguar jar jazz jeans jelly jersey jet jetty jewel jigsaw job jockey join joke
jovial joy judge judo jug juice jumble jump jungle junior just kale kayak keen keep kelp kennel kernel kettle
key kid kiln kilt kimono kind kiosk kit kite kitten kiwi knee knock knot know koala krill lab label labor lace
ladder lady lagoon lake lamb lamp lane lap lapel laptop larch large lark lasso latch later lather latte laugh
lava law lawn layer leader leaf learn leave ledge leek left leg legal legend lemon lemur lend length lens lentil
lesson letter level life lift light like lilac lily limb lime limit linear linen link lion liquid list little
live lively lizard llama load lobby local lock locket locust lodge loft log logic long loom loop lotus loud
lounge love loyal luck lucky lumber lunar lunch lupin lute luxury lynx lyric macaw magic magma magnet mail main
major make mallet mammal manage mango manor mantis manual map maple marble march margin marina marine market
maroon marsh marten mascot mask mass mast master match mate math matrix matter maze meadow meal mean meat medal
media mellow melody melon melt member memory menu mercy merge merit merlin merry mesh meteor method middle mile
milk mill mimic mimosa mind mingle minor mint minute mirror miss mitten mix mixed mobile model modify module
mole moment monkey month moon moose more morsel mosaic moss motel mother motion motor mount mouse move movie
much muffin mulch mural muscle muse museum music must mutual myrtle myself myth nail name napkin narrow nation
nature navy near neck nectar need needle nephew nest net never news newt next nice nickel nifty night nimble
nimbus noble noise nomad noodle noon normal north nose note notice notion nougat novel now nugget number nurse
nut nutmeg oak oar oasis oats object oblige oblong obtain occur ocean ochre octave off offer office often oil
okay old olive omega omelet omit once one onion online only opal open opera option orange orbit orchid order
organ orient osprey other otter outer outfit output oval oven over owl own owner oxide oxygen oyster ozone pact
paddle page pagoda pail paint pair palace palm pan panda panel pansy pantry papaya paper parade parcel parent
park parka parrot party pasta pastel pastry patch path patio patrol pause pave peach peak peanut pearl pebble
pecan pedal peg pen pencil peony people pepper perch permit person pewter phone photo phrase piano pickle picnic
pie piece pier pigeon pillow pilot pine pink pipe pitch pivot pixel pizza place plaid plain plan planet plant
plate play plaza please pledge plot pluck plug plum plume plunge pocket poem poet point polar pole polish polka
pollen polo poncho pond pony poodle pool poplar poppy port portal post pot potato powder power praise prawn
prefer pretty price pride primer print prism prize profit proof proud public puffin pull pulp pulse puma pupil
puppy purple purse push put puzzle quail quarry quartz quaver quest quiche quick quiet quill quince quit quiver
quiz quote rabbit radar radio radish raffia rail rain raise raisin rally ramble ramp ranch random range rapid
rascal rate rather raven ravine razor ready real reason recall recipe record reduce reed reef reform region
relax relay relic relief relish rely remain remind remove render renew rent repair repeat report rescue resin
resist rest result retire return reveal reverb review reward rhyme rhythm rib ribbon rice rich ride rider ridge
right rigid ring ripple ritual rival river road robin robot robust rocket rodeo roller roof rookie room rope
rose rosy rotary round route row rowan royal rubber ruby rudder rug rugby rule rumba rumble run runway rural
rustic saddle safe sage sail salad salmon salon salsa salt salute same sample sand sandal sandy satin saturn
saucer sauna save savory say scale scan scarf scene scenic scent scheme school scout scrap script scroll sea
seal search season seat second secret sedan seed seek select sell sense sequin series sesame settle setup seven
shade shadow shaft shanty shape share shark sharp shawl shed sheep sheet shelf shell shield shift shine ship
shirt shiver shoe shop shore short shovel shrimp shrub shy side sight sign signal silent silk silo silver simmer
simple since sing sink siren sister six size sizzle skate sketch ski skill skirt slate sled sleep sleeve sleigh
slice slide slight slogan sloop slope small smart smile smock smooth snack snail snake snap sniff snow soap
soccer social sock socket soda sofa soft soil solar solid solve sonata song sonic sonnet soon sorrel sort soul
sound soup source south space spade spare spark spawn speak speed spell spend sphere spice spider spike spin
spire spirit spoke sponge spoon sport spot spray spread spring sprout spruce square squash squid stable staff
stag stage stairs stamp stand star starch start state statue stay steak steam steel step stereo stew stick still
stitch stock stone stool stork storm story stove straw stream street strike string strong stucco studio sturdy
style submit subway such sudden suede sugar suit summer summit sun sundae sunny sunset super supply sure surf
survey swamp swan swap swarm sweet swift swim swing switch symbol syrup system table tackle tag tail talent talk
tango tape tapir target tartan task tassel taste taxi tea teach team teapot tell temple tempo ten tenant tennis
tent term test text thank that theme then theory there they thing this thread three throne throw thrush thumb
ticket tidal tide tiger tile tilt timber time tinsel tiny tip tired tissue title toast today toffee tofu token
tomato tone tongue tonic tool tooth top topaz topic topple torch total totem toucan tour toward tower town toy
trace track trade train tram travel tray treat treaty tree trend trial tribe trick trim trip trophy trout trowel
truck true truly trust truth try tube tulip tumble tuna tundra tune tunic tunnel turban turkey turnip turret
turtle tutor tuxedo tweed twelve twenty twice twig twin twist two type umber umpire uncle under undo unfold
union unique unit unity unlock until unveil upbeat update upon upper urban urchin usage use used useful usher
usual vacant vacuum valid valley value valve van vanish vapor vase vast vault vector veil velvet vendor veneer
venue verb verbal verify verse very vessel vest viable video view vine vinyl viola violet violin visa visit
vista visual vital vivid vocal voice volume vortex vote voyage waffle wage wagon wait walk wall walnut walrus
waltz wand wander want warble warm wash watch water wave wax way wealth wear weasel web west wet whale wharf
what wheat wheel when whisk wicker wide widget width wild will willow win wind window wing wink winner winter
wire wisdom wise wish wizard wobble wolf wombat wonder wood wool word work world worth wrap wren wrist yacht yak
yard yarn year yeast yellow yodel yogurt yonder you young youth zebra zenith zephyr zero zigzag zinc zinnia zone
zoo
`
  .trim()
  .split(/\s/);
